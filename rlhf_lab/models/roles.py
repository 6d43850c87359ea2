"""Four roles on one frozen base: policy, reference, reward and value.

A role is a LoRA adapter, with a scalar head for reward and value; the policy may have a value head
on its own adapter instead of a value role. Switching adapters between a
forward and its backward pass silently gives wrong gradients (the recomputed or saved graph no
longer matches the weights). So a role is *held*: forward passes exist only on the handle that
`RoleModel.role` yields, a second role cannot be taken meanwhile, and a backward pass that comes
after the handle was given back raises.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from rlhf_lab.algorithms import TokenLogprobs, token_logprobs
from rlhf_lab.errors import LabMismatch, RoleError
from rlhf_lab.models.batches import TokenBatch
from rlhf_lab.models.certificates import can_share_prompts, certify_output_head
from rlhf_lab.models.chat import ChatTokens
from rlhf_lab.models.checkpointing import recomputed_layers, repeatable_layers
from rlhf_lab.models.dense import DenseCopies
from rlhf_lab.models.heads import ScalarHead
from rlhf_lab.models.quiet import quiet
from rlhf_lab.types import LoraSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from rlhf_lab.models.loading import Base

RoleName = Literal["policy", "reference", "reward", "value"]
ROLES: tuple[RoleName, ...] = ("policy", "reference", "reward", "value")
HEADS = ("reward", "value")
# The head on the policy's trunk. Where roles' parameters are named, so are this head's.
PolicyHead = Literal["policy_value"]
LearnerName = RoleName | PolicyHead


class RoleModel:
    """One base, four roles.

    `shares_prompts` says whether responses may share a row of a batch with their prompt.
    `checkpointing` may be changed between two blocks.

    ```python
    with model.role("policy", train=True) as policy:
        logp = policy.logprobs(batch).logp
        (-logp.mean()).backward()
    ```
    """

    def __init__(
        self,
        base: Base,
        lora: LoraSpec | None = None,
        *,
        seed: int = 0,
        checkpointing: bool = False,
    ) -> None:
        """Put adapters and heads on a base; the policy starts as the base itself.

        Args:
            base: Frozen model and tokenizer.
            lora: Shape of the adapters.
            seed: Of the adapters' and heads' random start.
            checkpointing: While a role learns, compute activations again instead of keeping them:
                a fraction of their memory for a third more time.

        Raises:
            UnknownModel: the model cannot be used for this, or not with checkpointing.
        """
        from peft import LoraConfig, get_peft_model

        lora = lora or LoraSpec()
        targets = lora.target_modules
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules=targets if isinstance(targets, str) else list(targets),
            lora_dropout=0.0,  # any dropout would make the ratio differ from 1
            task_type="CAUSAL_LM",
        )
        self.base = base
        self.lora = lora
        self.checkpointing = checkpointing
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.peft = get_peft_model(base.model, config, adapter_name="policy")
            for name in HEADS:
                self.peft.add_adapter(name, config)
            heads = (*HEADS, "policy_value")
            self.heads = nn.ModuleDict({n: ScalarHead(self._hidden_size()) for n in heads})
            self.head("policy_value").start_at_zero()
        self.heads.to(base.device)
        self.peft.eval()
        self.chat = ChatTokens(
            base.tokenizer,
            context=_context(base.model),
            eos=getattr(base.model.generation_config, "eos_token_id", None),
        )
        # transformers hands the head a strided slice: torch would copy the whole head per row.
        base.model.get_output_embeddings().register_forward_pre_hook(_contiguous_input)
        on_cpu = base.device.type == "cpu"
        self.dense = DenseCopies(base.model, dtype=base.dtype, enabled=on_cpu)
        self._adapter_config = config
        self._reference_is_base = True
        self._held: Role | None = None
        if checkpointing:
            repeatable_layers(base.model)  # refused here, not an hour later
        certify_output_head(self)
        self.shares_prompts = can_share_prompts(self)

    @contextmanager
    def role(self, name: RoleName, *, train: bool = False) -> Iterator[Role]:
        """Hold a role: the only way to run the model.

        Args:
            name: "policy", "reference", "reward" or "value".
            train: Whether gradients are wanted; they reach this role's parameters alone.

        Raises:
            RoleError: another role is held, or the name is unknown, or the reference is trained.
        """
        if name not in ROLES:
            raise RoleError(f"{name!r} is no role: use one of {', '.join(ROLES)}.")
        if self._held is not None:
            raise RoleError(
                f"{name!r} was asked for while {self._held.name!r} is held: switching between "
                "forward "
                "and backward gives wrong gradients. Leave the `with "
                f"model.role({self._held.name!r})` "
                "block first."
            )
        if train and name == "reference":
            raise RoleError("the reference is frozen: train 'policy' instead.")
        self._held = handle = Role(self, name)
        try:
            with (
                self._active(name, train),
                self._recomputing(train),
                torch.set_grad_enabled(train),
            ):
                yield handle
        finally:
            self._held = None
            self._freeze_all()

    def is_held(self, handle: Role) -> bool:
        """Whether this handle may still be used."""
        return self._held is handle

    def parameters(self, name: LearnerName) -> dict[str, nn.Parameter]:
        """Trainable parameters of a role by a name that does not contain the role's.

        Those of "policy_value" are the value head on the policy's trunk, which "policy" leaves out.
        """
        marker = f".{name}."
        found = {
            key.replace(marker, "."): value
            for key, value in self.peft.named_parameters()
            if marker in key
        }
        if name in self.heads:
            found |= {f"head.{key}": value for key, value in self.heads[name].named_parameters()}
        return found

    def state(self, name: LearnerName) -> dict[str, Tensor]:
        """A copy of a role's weights (and its head's normaliser) on the CPU."""
        tensors: dict[str, Tensor] = dict(self.parameters(name))
        if name in self.heads:
            tensors |= {f"head.{key}": value for key, value in self.heads[name].named_buffers()}
        return {key: value.detach().to("cpu", copy=True) for key, value in tensors.items()}

    @torch.no_grad()
    def load_state(self, name: LearnerName, state: Mapping[str, Tensor]) -> None:
        """Overwrite a role's weights.

        Raises:
            LabMismatch: the weights are of another model or adapter shape; nothing was changed.
        """
        targets: dict[str, Tensor] = dict(self.parameters(name))
        if name in self.heads:
            targets |= {f"head.{key}": value for key, value in self.heads[name].named_buffers()}
        wrong = [k for k in targets if k not in state or state[k].shape != targets[k].shape]
        if wrong or len(targets) != len(state):
            raise LabMismatch(
                f"weights for {name!r} do not fit: {len(state)} tensors for {len(targets)} places, "
                f"first mismatch {wrong[0] if wrong else 'none'}: they were made with another "
                "model or "
                f"another LoRA shape than rank {self.lora.rank}. Open the lab with the settings it "
                "was "
                "made with."
            )
        for key, target in targets.items():
            target.copy_(state[key])

    def copy_role(self, source: RoleName, target: RoleName) -> None:
        """Start `target` from the adapter of `source`; a head takes over the normalised output."""
        adapter = {k: v for k, v in self.parameters(source).items() if not k.startswith("head.")}
        with torch.no_grad():
            for key, parameter in self.parameters(target).items():
                if key in adapter:
                    parameter.copy_(adapter[key])
        if source in self.heads and target in self.heads:
            self.head(target).start_from(self.head(source))

    def start_reward(self, policy_state: Mapping[str, Tensor], *, seed: int = 0) -> None:
        """Start the reward role from a policy's adapter, under a new head.

        Args:
            policy_state: Weights of the policy, as from `state`.
            seed: Of the head.

        Source: Stiennon et al. (2020), section 3.4; Ouyang et al. (2022), section 3.5.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = ScalarHead(self._hidden_size())
        state = {f"head.{name}": value for name, value in head.state_dict().items()}
        self.load_state("reward", {**policy_state, **state})

    def set_reference(self, policy_state: Mapping[str, Tensor] | None) -> None:
        """Freeze what the policy is compared with: an adapter's weights; None: the bare base."""
        self._reference_is_base = policy_state is None
        if policy_state is not None:
            if "reference" not in self.peft.peft_config:
                self.peft.add_adapter("reference", self._adapter_config)
            self.load_state("reference", policy_state)
        self._freeze_all()

    def save_adapter(self, name: RoleName, folder: Path) -> None:
        """Write a role's adapter in peft's own format, to be loaded on the plain base model."""
        # For other machines: by its hub id, not by the folder where this one keeps it.
        self.peft.peft_config[name].base_model_name_or_path = self.base.name
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            self.peft.save_pretrained(
                scratch,
                selected_adapters=[name],
                safe_serialization=True,
                save_embedding_layers=False,  # they are the base's; "auto" would ask the hub
            )
            # peft puts every adapter but "default" into a folder of its name.
            shutil.copytree(Path(scratch) / name, folder, dirs_exist_ok=True)

    def head(self, name: str) -> ScalarHead:
        """The scalar head of "reward" or "value", or "policy_value"."""
        head = self.heads[name]
        assert isinstance(head, ScalarHead)
        return head

    def _hidden_size(self) -> int:
        return int(cast("Tensor", self.base.model.get_input_embeddings().weight).shape[1])

    @contextmanager
    def _active(self, name: RoleName, train: bool) -> Iterator[None]:
        if name == "reference" and self._reference_is_base:
            with self.peft.disable_adapter():
                yield
            return
        self.peft.set_adapter(name, inference_mode=not train)
        head = "policy_value" if name == "policy" else name
        if head in self.heads:
            self.heads[head].requires_grad_(train)
        yield

    def _recomputing(self, train: bool) -> AbstractContextManager[None]:
        if not (train and self.checkpointing):
            return nullcontext()
        return recomputed_layers(repeatable_layers(self.base.model))

    def _freeze_all(self) -> None:
        self.peft.requires_grad_(False)
        self.heads.requires_grad_(False)


def _context(model: PreTrainedModel) -> int:
    """Longest sequence; models with several parts keep it in the text part."""
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found else sys.maxsize


def _contiguous_input(_head: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].contiguous(), *inputs[1:])


class Role:
    """A held role. Do not make one: `with model.role("policy") as policy`."""

    def __init__(self, model: RoleModel, name: RoleName) -> None:
        self.model = model
        self.name = name

    def logprobs(self, batch: TokenBatch, *, temperature: float = 1.0) -> TokenLogprobs:
        """Log-probability and entropy of each response token in nats, (responses, longest).

        Places without a response token hold 0.

        Raises:
            RoleError: the role is no longer held.
        """
        return self._logprobs(self._hidden(batch), batch, temperature)

    def logprobs_and_values(
        self, batch: TokenBatch, *, temperature: float = 1.0
    ) -> tuple[TokenLogprobs, Tensor]:
        """The policy's `logprobs`, and values before the same tokens by the head on its trunk.

        Raises:
            RoleError: the role is no longer held, or is not the policy.
        """
        if self.name != "policy":
            raise RoleError(f"role {self.name!r} has no value head beside its log-probabilities.")
        hidden = self._hidden(batch)
        head = self.model.head("policy_value")
        values = head(batch.of_responses(hidden, batch.predicting_places))
        return self._logprobs(hidden, batch, temperature), values

    def _logprobs(self, hidden: Tensor, batch: TokenBatch, temperature: float) -> TokenLogprobs:
        is_token = batch.is_response_token
        found = token_logprobs(
            batch.of_responses(hidden, batch.predicting_places)[is_token],
            self.output_weight(),
            batch.response_ids[is_token],
            temperature=temperature,
        )
        empty = torch.zeros(is_token.shape, device=hidden.device)
        return TokenLogprobs(*(empty.masked_scatter(is_token, part) for part in found))

    def values(self, batch: TokenBatch) -> Tensor:
        """The head's output before each response token, (responses, longest response)."""
        hidden = self._hidden(batch)
        return self._own_head().forward(batch.of_responses(hidden, batch.predicting_places))

    def scores(self, batch: TokenBatch) -> Tensor:
        """The head's raw output at the last token of each response, (responses,)."""
        hidden = self._hidden(batch)
        return self._own_head().forward(batch.of_responses(hidden, batch.last_places))

    def last_states(self, batch: TokenBatch) -> Tensor:
        """Final hidden states at the last token of each response, (responses, dim).

        What the reward head reads: features of whole responses.
        """
        return batch.of_responses(self._hidden(batch), batch.last_places).float()

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision every forward pass of this model uses: autocast is for half types alone."""
        base = self.model.base
        if base.dtype.itemsize > 2:
            return nullcontext()
        return torch.autocast(base.device.type, dtype=base.dtype)

    def check_held(self) -> None:
        """Raise if the role was given back.

        Raises:
            RoleError: the `with` block of this role has ended.
        """
        if not self.model.is_held(self):
            raise RoleError(
                f"role {self.name!r} was used after its `with model.role(...)` block ended: keep "
                "forward and backward inside the block."
            )

    def _hidden(self, batch: TokenBatch) -> Tensor:
        """Final hidden states (batch, tokens, dim), guarded against a late backward pass."""
        self.check_held()
        with self.autocast():
            hidden: Tensor = self.model.base.model.base_model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                position_ids=batch.position_ids,
                use_cache=False,
            ).last_hidden_state
        if hidden.requires_grad:
            hidden.register_hook(self._guard)
        return hidden

    def _guard(self, gradient: Tensor) -> Tensor:
        self.check_held()
        return gradient

    def output_weight(self) -> Tensor:
        """The frozen output head, (vocabulary, dim)."""
        return cast("Tensor", self.model.base.model.get_output_embeddings().weight)

    def _own_head(self) -> ScalarHead:
        if self.name not in HEADS:
            raise RoleError(f"role {self.name!r} has no scalar head: hold 'reward' or 'value'.")
        return self.model.head(self.name)
