"""What every reference metric is given, checked once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rlhf_lab.errors import ConfigError, NotEnoughData

References = Sequence[str | Sequence[str]]


def checked(
    texts: Sequence[str], references: References
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Texts, and the references of each.

    Raises:
        NotEnoughData: no texts, or a text without a reference.
        ConfigError: not as many references as texts, or one string in the place of a list.
    """
    for name, given in (("texts", texts), ("references", references)):
        if isinstance(given, str):
            raise ConfigError(
                f"{name}={given[:40]!r} is one string: pass a list, here [{given[:40]!r}]."
            )
    if len(texts) != len(references):
        raise ConfigError(
            f"{len(texts)} texts and {len(references)} references: each text needs its own. For "
            "several references to one text, pass a list in the place of its reference."
        )
    if not len(texts):
        raise NotEnoughData("0 texts: a metric needs at least one text and its reference.")
    found = [(one,) if isinstance(one, str) else tuple(one) for one in references]
    for number, of_text in enumerate(found):
        if not of_text:
            raise NotEnoughData(
                f"text {number} has no reference: leave it out, or write one (`lab.demonstrate`)."
            )
    return [_readable(text) for text in texts], [tuple(map(_readable, one)) for one in found]


def _readable(text: str) -> str:
    """Without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def needs(package: str) -> Iterator[None]:
    """Says how to get a package that is not installed."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"the package {package} cannot be imported ({error}): pip install 'rlhf-lab[eval]'."
        ) from error
