"""How a team ranks: instructions, and what is asked beside the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.shell import Act, details, field, form, link, section
from rlhf_lab.errors import ConfigError
from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.types import FLAGS
from rlhf_lab.widgets.ranking_answers import Form

SETTING = "ranking"
LONGEST_INSTRUCTIONS = 20_000
MOST_NAMES, LONGEST_NAME = 12, 40


@dataclass(frozen=True, kw_only=True)
class RankingSetup:
    """What everybody who ranks in the dashboard is told and asked.

    Attributes:
        instructions: Markdown; empty for none.
        criteria: What each response may be rated by.
        flags: What may be ticked beside "all bad".
    """

    instructions: str = ""
    criteria: tuple[str, ...] = ()
    flags: tuple[str, ...] = FLAGS

    def __post_init__(self) -> None:
        """Refuse what no page could show."""
        if len(self.instructions) > LONGEST_INSTRUCTIONS:
            raise ConfigError(
                f"the instructions have {len(self.instructions):,} characters and may have "
                f"{LONGEST_INSTRUCTIONS:,}: shorten them."
            )
        for what, names in (("criteria", self.criteria), ("flags", self.flags)):
            _check_names(what, names)
        Form.of(self.criteria, self.flags, editing=True)

    @classmethod
    def read(cls, store: PreferenceStore) -> Self:
        """The lab's; the default where nothing was set up."""
        kept: dict[str, Any] = store.get_setting(SETTING, {})
        names = {what: tuple(kept[what]) for what in ("criteria", "flags") if what in kept}
        return cls(instructions=kept.get("instructions", ""), **names)

    def write(self, store: PreferenceStore) -> None:
        """Make it the lab's."""
        store.set_setting(
            SETTING,
            {
                "instructions": self.instructions,
                "criteria": list(self.criteria),
                "flags": list(self.flags),
            },
        )


def in_words(plan: AssignmentPlan) -> str:
    """How many people rank each item."""
    if plan.overlap is None:
        return "everybody ranks every item"
    return "one person per item" if plan.overlap == 1 else f"{plan.overlap} people per item"


def setup_form(setup: RankingSetup) -> Markup:
    """What a researcher fills in; the act is "set-up"."""
    fields = (
        field(
            "Criteria",
            "criteria",
            ", ".join(setup.criteria),
            placeholder="helpful, harmless, honest",
            help="Rated from 1 to 5 for each response. Separate them by commas.",
        ),
        field(
            "Flags",
            "flags",
            ", ".join(setup.flags),
            help='What may be ticked beside "all bad". Separate them by commas.',
        ),
        Markup('<div class="lab-wide">{}</div>').format(
            field(
                "Instructions",
                "instructions",
                setup.instructions,
                kind="area",
                maxlength=LONGEST_INSTRUCTIONS,
                help="What makes a response better here? Markdown. Everybody who ranks sees it.",
            )
        ),
    )
    sharing = link("How the work is shared out", "/rounds", tone="quiet")
    return details(
        "Set up ranking", section("", form("set-up", *fields, submit="Save", extra=sharing))
    )


def save_setup(context: Context, act: Act) -> str:
    """Do what the form says, all of it or nothing.

    Raises:
        NotAllowed, SignedOut: they may not.
        ConfigError: something in it is none of what it should be.
    """
    context.actor.require("set_plan")
    setup = RankingSetup(
        instructions=act.value("instructions"),
        criteria=_names(act.value("criteria")),
        flags=_names(act.value("flags")),
    )
    setup.write(context.store)
    return "Saved. Pages that are open take it up when they are loaded again."


def _check_names(what: str, names: tuple[str, ...]) -> None:
    longest = max((len(name) for name in names), default=0)
    if len(names) > MOST_NAMES or longest > LONGEST_NAME:
        raise ConfigError(
            f"{len(names)} {what}, the longest of {longest} characters: at most {MOST_NAMES}, of "
            f"{LONGEST_NAME} each. Use fewer or shorter ones."
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
