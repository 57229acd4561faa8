"""What a process prints, read while it prints."""

from tfcourse.search.runtime.output import Output


def test_lines_as_they_come(tmp_path):
    first, kept = tmp_path / "first", tmp_path / "kept"
    output = Output(first)
    first.write_text("before\n")
    assert output.new_lines() == []  # nothing is to be shown yet
    output.show(first.stat().st_size)
    with first.open("a") as file:
        file.write("one\ntw")
    assert output.new_lines() == ["one"]
    with first.open("a") as file:
        file.write("o\nthree")
    assert output.new_lines() == ["two"]
    assert output.new_lines(ended=True) == ["three"]
    assert (output.end(), output.place) == ("before\none\ntwo\nthree", "")
    # Another run has written into the file that is kept.
    kept.write_text("of a run before\n")
    output.move(kept, kept.stat().st_size)
    assert (output.new_lines(), output.place) == ([], "")
    with kept.open("ab") as file:
        file.write(b"four \xff\n" + b"line\n" * 20)
    assert output.new_lines() == ["four \N{REPLACEMENT CHARACTER}", *["line"] * 20]
    assert output.end() == "\n".join(["line"] * 12)
    assert output.place == f" Its log: {kept}."
