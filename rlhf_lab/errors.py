"""Every error this library raises on purpose.

Each message gives the offending value, the rule it broke and the next step.

```
LabError
├── ConfigError (ValueError)        a setting outside its range
├── PromptError (ValueError)        a prompt that is empty, not text, or too long
├── NotEnoughData                   no prompts, no responses, no judgments, k=1 ...
├── JudgmentError (ValueError)      a judgment the store cannot accept
├── ImportFileError (ValueError)    a file that cannot be read; names file and line
├── OutOfMemory                     not even the smallest batch fits into memory
├── Stopped                         work was told to end before it was done
├── AccessError
│   ├── SignedOut                   nobody is signed in (any more): sign in again
│   ├── NotAllowed                  the account's role, or a rule about accounts, forbids it
│   ├── WrongPassword               no account with this name and this password
│   ├── Throttled                   too many wrong passwords: wait
│   └── TicketError                 an invite or reset link that is unknown, used or expired
├── DashboardError                  the dashboard's server does not start; ends with its log
├── ModelError
│   ├── UnknownModel                neither a hub id that answers nor a local folder
│   ├── ModelDownloadError          no network, wrong checksum, interrupted transfer
│   ├── DiskFull                    not enough room for the model or a checkpoint
│   ├── QuantizationUnsupported     no 4-bit kernels here: use quantize="none"
│   └── RoleError                   a role used outside its context, or two at once
├── StoreError
│   ├── LabMismatch                 the directory was made with another model or adapter shape
│   ├── LabInUse                    another process is training in this lab; names the holder
│   ├── CheckpointError             a checkpoint with missing, altered or half-written files
│   └── UnknownVersion              no version of that name
└── TrainingError
    ├── ShapeError (ValueError)     tensors that do not fit together
    ├── CertificateError            a check before training failed; names what differs
    └── NonFiniteError              NaN or infinity in a loss, gradient or ratio
```
"""

from __future__ import annotations

from typing import Any


class LabError(Exception):
    """Base of every error raised by RLHF Lab on purpose."""


class ConfigError(LabError, ValueError):
    """A setting is outside its range."""


class PromptError(LabError, ValueError):
    """A prompt is empty, not text, or longer than the model's context."""


class NotEnoughData(LabError):
    """Something has to be added, generated or ranked first."""


class JudgmentError(LabError, ValueError):
    """A judgment names unknown responses, or is not a ranking of its candidates."""


class ImportFileError(LabError, ValueError):
    """A file cannot be read; the message names file and line."""

    # The `ImportReport` of an import that was given up, with the rows that were rejected and why;
    # None where it did not come so far.
    report: Any = None


class OutOfMemory(LabError):
    """A batch does not fit into memory, and it cannot be divided any further."""


class Stopped(LabError):
    """Work was told to end before it was done; the message says what is kept."""


class AccessError(LabError):
    """Base of errors about who somebody is and what they may do."""


class SignedOut(AccessError):
    """Nobody is signed in, or no longer: the sign-in ended, expired, or its account is disabled."""


class NotAllowed(AccessError):
    """The account's role is too low for this, or a rule about accounts forbids it to everybody."""


class WrongPassword(AccessError):
    """No account has this name and this password; which of the two is wrong is not said."""


class Throttled(AccessError):
    """Too many wrong passwords in a row, for an account or from an address."""

    # Seconds until the next try is looked at.
    wait: int = 0


class TicketError(AccessError):
    """An invite or reset link that is unknown, used or expired."""


class DashboardError(LabError):
    """The process that serves a lab did not start; the message ends with what it said last."""


class ModelError(LabError):
    """Base of errors about language models."""


class UnknownModel(ModelError):
    """A model name that is neither a hub id that answers nor a local folder."""


class ModelDownloadError(ModelError):
    """A model could not be fetched: no network, wrong checksum or a broken transfer."""


class DiskFull(ModelError):
    """There is not enough room on disk for a model or a checkpoint."""


class QuantizationUnsupported(ModelError):
    """4-bit weights do not work on this device."""


class RoleError(ModelError):
    """A role was used outside its context, or two roles were asked for at once."""


class StoreError(LabError):
    """Base of errors about the lab directory and its database."""


class LabMismatch(StoreError):
    """The lab directory was made with another model or another adapter shape."""


class LabInUse(StoreError):
    """Another process holds the lab for model work."""


class CheckpointError(StoreError):
    """A checkpoint has missing, altered or half-written files."""


class UnknownVersion(StoreError):
    """No version of that name is in this lab."""


class TrainingError(LabError):
    """Base of errors during an update."""


class ShapeError(TrainingError, ValueError):
    """Tensors that do not fit together."""


class CertificateError(TrainingError):
    """A check before training failed: going on would be quietly wrong."""


class NonFiniteError(TrainingError):
    """A loss, gradient or ratio that is NaN or infinite, more often than can be skipped."""
