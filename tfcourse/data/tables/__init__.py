"""Tables in files: csv, Parquet and Arrow, and what of them a model takes."""
