from __future__ import annotations

import pytest

from rlhf_lab.dashboard.accounts.names import checked_name, name_key
from rlhf_lab.errors import ConfigError
from tests.widgets.xss_corpus import TAGS


@pytest.mark.parametrize("name", ["ada", "Ada Lovelace", "ada@example.org", "李小龙", "o'hara-2"])
def test_ordinary_names_are_kept_as_they_are(name):
    assert checked_name(name) == name


def test_a_name_has_one_form_however_its_accents_were_typed():
    assert checked_name("Zoe\u0308") == checked_name("Zo\xeb") == "Zo\xeb"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 65,
        "a\nb",
        "a\tb",
        "a\x00b",
        "\x1b[31mred",
        "\u202egnp.exe",  # turns the direction of what follows
        "a\u200bb",  # no width
        "a\ud800",  # half a character
        " ada",
        "ada ",
        "a  b",
        "a\xa0b",
        "---",
    ],
)
def test_names_that_could_deceive_or_break_a_line_are_refused(name):
    with pytest.raises(ConfigError, match="name"):
        checked_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "ADA"),
        ("straße", "STRASSE"),
        ("\ufb01ona", "fiona"),
        ("\uff21da", "ada"),
        ("Ada", " ada "),
    ],
)
def test_names_that_people_do_not_tell_apart_have_one_key(one, other):
    assert name_key(one) == name_key(other)


def test_markup_is_no_reason_to_refuse_a_name_since_every_page_escapes():
    short = [tag for tag in TAGS if len(tag) <= 64 and tag.isprintable()]
    assert len(short) > 10
    assert [checked_name(tag) for tag in short if tag == " ".join(tag.split())]
