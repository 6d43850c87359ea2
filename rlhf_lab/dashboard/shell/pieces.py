"""The pieces that pages are put together from, as HTML; `parts.css` says how they look.

Each takes texts, which it escapes, or HTML that other pieces made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from markupsafe import Markup

from rlhf_lab.dashboard.shell.fragment import html

Tone = Literal["info", "ok", "warn", "error"]
ButtonTone = Literal["plain", "primary", "danger", "quiet"]
Text = str | Markup


def join(*parts: Text) -> Markup:
    """Pieces one after the other."""
    return Markup().join(parts)


def heading(title: Text, note: Text = "", *actions: Markup) -> Markup:
    """The title of a page, with a note beside it and what can be done at the end of the line."""
    return html(
        """
        <div class="lab-heading"><h1 class="lab-title">{{ title }}</h1>
        {% if note %}<span class="lab-muted">{{ note }}</span>{% endif %}
        {% if actions %}<span class="lab-row">{{ actions }}</span>{% endif %}</div>
        """,
        title=title,
        note=note,
        actions=join(*actions),
    )


def section(title: Text, *parts: Text, note: Text = "", actions: Sequence[Markup] = ()) -> Markup:
    """A card with a heading of its own; `card` is the same around components of Panel."""
    return html(
        """
        <section class="lab-card">
        {% if title %}<div class="lab-heading"><h2>{{ title }}</h2>
        {% if note %}<span class="lab-muted">{{ note }}</span>{% endif %}
        {% if actions %}<span class="lab-row">{{ actions }}</span>{% endif %}</div>{% endif %}
        {{ body }}</section>
        """,
        title=title,
        note=note,
        actions=join(*actions),
        body=join(*parts),
    )


def empty_state(title: Text, next_step: Text, action: Markup | None = None) -> Markup:
    """What stands where there is nothing yet: what is missing, and what to do next."""
    return html(
        """
        <div class="lab-empty"><h2>{{ title }}</h2><p>{{ next_step }}</p>
        {% if action %}{{ action }}{% endif %}</div>
        """,
        title=title,
        next_step=next_step,
        action=action,
    )


def notice(tone: Tone, text: Text, action: Markup | None = None) -> Markup:
    """Something to know; an error is told at once by screen readers, the rest in its turn."""
    return html(
        """
        <div class="lab-notice" data-tone="{{ tone }}" role="{{ role }}"><span>{{ text }}</span>
        {% if action %}{{ action }}{% endif %}</div>
        """,
        tone=tone,
        role="alert" if tone == "error" else "status",
        text=text,
        action=action,
    )


def stat(label: Text, value: Text, note: Text = "") -> Markup:
    """A figure with its name; for `stats`."""
    return html(
        """
        <div class="lab-stat"><dt>{{ label }}</dt><dd class="lab-value">{{ value }}</dd>
        {% if note %}<dd class="lab-muted lab-small">{{ note }}</dd>{% endif %}</div>
        """,
        label=label,
        value=value,
        note=note,
    )


def stats(*figures: Markup) -> Markup:
    """Figures side by side."""
    return html('<dl class="lab-stats">{{ body }}</dl>', body=join(*figures))


def badge(text: Text, tone: Tone | Literal["plain"] = "plain") -> Markup:
    """A word or two about the state of something."""
    return html('<span class="lab-badge" data-tone="{{ t }}">{{ text }}</span>', t=tone, text=text)


def progress(done: int, total: int | None, label: Text = "") -> Markup:
    """How far something is; a total of None or 0 for something of unknown length."""
    return html(
        """
        <div class="lab-progress">
        {% if label %}<div class="lab-row lab-spread lab-small"><span>{{ label }}</span>
        {% if total %}<span class="lab-muted lab-number">{{ done }} of {{ total }}</span>{% endif %}
        </div>{% endif %}
        <progress aria-label="{{ label or 'Progress' }}"
        {% if total %}value="{{ done }}" max="{{ total }}"{% endif %}></progress></div>
        """,
        done=done,
        total=total,
        label=label,
    )


def data_table(
    headers: Sequence[Text],
    rows: Iterable[Sequence[Text | int | float]],
    *,
    caption: Text = "",
    label: Text = "",
    figures: Collection[int] = (),
    keys: Sequence[str] | None = None,
    is_stacked: bool = False,
) -> Markup:
    """A table whose first column names its rows; on a phone it scrolls within itself.

    Args:
        headers: Of the columns; an empty one is for buttons.
        rows: As many cells in each; numbers are shown as they are, so format them before.
        caption: What it is a table of; shown above.
        label: The same for those who come to it by ear, where a heading shows it.
        figures: Columns, from 0, whose cells are numbers.
        keys: What stays the same of each row, so that an update leaves its buttons focused.
        is_stacked: On a phone, show the cells of a row one below the other instead.
    """
    kept = [list(row) for row in rows]
    return html(
        """
        <div class="lab-table-box"{% if headers %} tabindex="0" role="region"
        aria-label="{{ label or caption or headers[0] }}"{% endif %}>
        <table class="lab-table{{ ' lab-stacked' if is_stacked }}">
        {% if caption %}<caption>{{ caption }}</caption>{% endif %}
        <thead><tr>{% for text in headers %}
        <th scope="col"{% if loop.index0 in figures %} class="lab-figure"{% endif %}>
        {%- if text %}{{ text }}{% else %}<span class="lab-sr-only">Actions</span>{% endif -%}
        </th>{% endfor %}</tr></thead>
        <tbody>{% for row in rows %}<tr{% if keys %} data-row="{{ keys[loop.index0] }}"{% endif %}>
        {% for cell in row %}
        {% if loop.first %}<th scope="row">{{ cell }}</th>{% else %}
        <td data-label="{{ headers[loop.index0] }}"
        {%- if loop.index0 in figures %} class="lab-figure"{% endif %}>{{ cell }}</td>
        {% endif %}{% endfor %}</tr>{% endfor %}</tbody></table></div>
        """,
        headers=headers,
        rows=kept,
        caption=caption,
        label=label,
        figures=set(figures),
        keys=keys,
        is_stacked=is_stacked,
    )


def button(
    text: Text,
    act: str,
    *,
    key: str = "",
    tone: ButtonTone = "plain",
    confirm: str = "",
    label: str = "",
    small: bool = False,
    disabled: bool = False,
) -> Markup:
    """A button that calls the `on_act` of its fragment.

    Args:
        text: What it says.
        act: Which act it is.
        key: What the act is about.
        tone: How much it asks to be pressed; "danger" for what cannot simply be taken back.
        confirm: A question to answer before it acts; of a select, %s is what was chosen.
        label: What it is called where its text alone does not say what it is about.
        small: For rows of tables.
        disabled: It cannot be pressed now.
    """
    return html(
        """
        <button type="button" class="lab-button" data-tone="{{ tone }}" data-act="{{ act }}"
        {% if key %}data-key="{{ key }}"{% endif %} {% if small %}data-size="small"{% endif %}
        {% if confirm %}data-confirm="{{ confirm }}"{% endif %}
        {% if label %}aria-label="{{ label }}"{% endif %}
        {% if disabled %}disabled{% endif %}>{{ text }}</button>
        """,
        text=text,
        act=act,
        key=key,
        tone=tone,
        confirm=confirm,
        label=label,
        small=small,
        disabled=disabled,
    )


def link(text: Text, address: str, *, tone: ButtonTone = "plain", small: bool = False) -> Markup:
    """A link to another page of the dashboard that looks like a button.

    Raises:
        ValueError: the address is none of the dashboard's.
    """
    if not address.startswith("/") or address.startswith("//"):
        raise ValueError(f"{address!r}: a path of the dashboard begins with one slash.")
    return html(
        """
        <a class="lab-button" data-tone="{{ tone }}"{% if small %} data-size="small"{% endif %}
        href="{{ address }}">{{ text }}</a>
        """,
        text=text,
        address=address,
        tone=tone,
        small=small,
    )


def field(
    label: Text,
    name: str,
    value: str = "",
    *,
    kind: Literal["text", "number", "password", "area"] = "text",
    help: Text = "",
    required: bool = False,
    **attributes: str | int | float,
) -> Markup:
    """A labelled input of a `form`; its text comes as `act.value(name)`.

    Args:
        label: What it asks for.
        name: Of its value.
        value: What it holds at first.
        kind: "area" is for several lines.
        help: What one should know to fill it in.
        required: The form cannot be sent without it.
        attributes: More of the element, as in `min=1`, `placeholder="ada"`, `maxlength=64`.
    """
    return html(
        """
        <div class="lab-field"><label for="field-{{ name }}">{{ label }}</label>
        {% if kind == "area" %}
        <textarea class="lab-input" id="field-{{ name }}" name="{{ name }}" {{ more }}
        {% if required %}required{% endif %}>{{ value }}</textarea>
        {% else %}
        <input class="lab-input" type="{{ kind }}" id="field-{{ name }}" name="{{ name }}"
        value="{{ value }}" {{ more }} {% if required %}required{% endif %}>
        {% endif %}
        {% if help %}<small id="help-{{ name }}">{{ help }}</small>{% endif %}</div>
        """,
        label=label,
        name=name,
        value=value,
        kind=kind,
        help=help,
        required=required,
        more=_attributes({**attributes, **({"aria-describedby": f"help-{name}"} if help else {})}),
    )


def choice(
    label: Text, name: str, options: Mapping[str, str], value: str = "", *, help: Text = ""
) -> Markup:
    """A labelled select of a `form`: what is sent, by what is shown."""
    return html(
        """
        <div class="lab-field"><label for="field-{{ name }}">{{ label }}</label>
        <select class="lab-input" id="field-{{ name }}" name="{{ name }}">
        {% for key, text in options.items() %}
        <option value="{{ key }}"{% if key == value %} selected{% endif %}>{{ text }}</option>
        {% endfor %}</select>
        {% if help %}<small>{{ help }}</small>{% endif %}</div>
        """,
        label=label,
        name=name,
        options=options,
        value=value,
        help=help,
    )


def form(
    act: str,
    *fields: Markup,
    submit: Text = "Save",
    tone: ButtonTone = "primary",
    key: str = "",
    confirm: str = "",
    extra: Markup | None = None,
) -> Markup:
    """Fields with a button; `on_act` gets what was typed as the act's values.

    Args:
        act: Which act it is.
        fields: Made by `field` and `choice`.
        submit: What the button says.
        tone: Of the button.
        key: What the act is about. A form whose key changes is a new one, with empty fields.
        confirm: A question to answer before it is sent.
        extra: Stands beside the button.
    """
    return html(
        """
        <form class="lab-form" data-act="{{ act }}" data-key="{{ key }}"
        data-row="form-{{ act }}-{{ key }}"
        {% if confirm %}data-confirm="{{ confirm }}" data-confirmed="{{ submit }}"{% endif %}>
        {{ fields }}<div class="lab-row"><button type="submit" class="lab-button"
        data-tone="{{ tone }}">{{ submit }}</button>
        {% if extra %}{{ extra }}{% endif %}</div></form>
        """,
        act=act,
        key=key,
        fields=join(*fields),
        submit=submit,
        tone=tone,
        confirm=confirm,
        extra=extra,
    )


def details(summary: Text, body: Text, *, is_open: bool = False) -> Markup:
    """Something to unfold; it stays as the reader left it."""
    return html(
        """
        <details class="lab-details"{% if is_open %} open{% endif %}>
        <summary>{{ summary }}</summary>{{ body }}</details>
        """,
        summary=summary,
        body=body,
        is_open=is_open,
    )


def time(when: datetime | None, *, whole: bool = False, never: str = "never") -> Markup:
    """A moment in the reader's own time zone: how long ago, or with `whole` date and time."""
    if when is None:
        return html('<span class="lab-muted">{{ never }}</span>', never=never)
    return html(
        '<time datetime="{{ iso }}" data-form="{{ form }}">{{ text }}</time>',
        iso=when.isoformat(),
        text=f"{when:%Y-%m-%d %H:%M} UTC",
        form="whole" if whole else "ago",
    )


def _attributes(values: Mapping[str, str | int | float]) -> Markup:
    """Attributes of an element; an underscore stands for a hyphen, as in `aria_label`."""
    return Markup(" ").join(
        html('{{ name }}="{{ value }}"', name=name.replace("_", "-"), value=value)
        for name, value in values.items()
    )
