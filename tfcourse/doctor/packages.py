"""The packages that tfcourse's metadata asks for, and those that are installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

__all__ = ["Package", "required_packages"]

# Extras for those who work on tfcourse.
HIDDEN = ("dev",)


@dataclass(frozen=True)
class Package:
    """A package that tfcourse asks for.

    Attributes:
        name: Its name.
        bounds: The versions that tfcourse supports, such as ``">=2.21"``.
        version: The version that is installed; None if there is none.
    """

    name: str
    bounds: str
    version: str | None

    @property
    def is_supported(self) -> bool:
        """True for an installed version within the bounds."""
        requirement = Requirement(self.name + self.bounds).specifier
        return self.version is not None and requirement.contains(self.version, prereleases=True)

    def __str__(self) -> str:
        return f"{self.name} {self.version or 'missing'}"


def required_packages(
    requirements: Sequence[str] | None = None, extras: Sequence[str] | None = None
) -> Mapping[str, Sequence[Package]]:
    """Return the packages by extra, with those that tfcourse always needs under ``""``.

    An extra that only combines others is left out.

    Args:
        requirements: Requirements as the metadata of a package has them; tfcourse's by default.
        extras: The names of the extras; tfcourse's by default.
    """
    texts = requires("tfcourse") or () if requirements is None else requirements
    names = metadata("tfcourse").get_all("Provides-Extra") or () if extras is None else extras
    entries = [Requirement(text) for text in texts]
    groups = {}
    for extra in ("", *(name for name in names if name not in HIDDEN)):
        packages = [
            Package(each.name, str(each.specifier), _version_of(each.name))
            for each in entries
            if _belongs_to(each, extra) and each.name != "tfcourse"
        ]
        if packages:
            groups[extra] = packages
    return groups


def _belongs_to(requirement: Requirement, extra: str) -> bool:
    """Return True for a requirement of an extra that is none of tfcourse alone."""
    marker = requirement.marker
    if marker is None:
        return not extra
    return marker.evaluate({"extra": extra}) and (not extra or not marker.evaluate({"extra": ""}))


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
