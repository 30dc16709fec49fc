"""pack.json: which models a motion pack holds, at which sizes, for which base model; checked as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from index_builder.border import border, read_regular
from index_builder.features.encoder_kinds import KINDS, OPTIONAL_ROLES, REQUIRED_ROLES, kinds_of
from index_builder.features.encoders import EncoderSpec
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.backbones.backbone import backbone_names, get_backbone
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.errors import PackInvalid, PackTooNew
from motionrag_nodes.motion_tokens.resampler import ResamplerConfig

PACK_FILE = "pack.json"
FORMAT = "motionrag-pack"
# Version 2: captions may have an encoder of their own, pixels the published preprocessing, hub names a commit. A pack
# that uses nothing of version 2 is written as version 1.
VERSION, FIRST_VERSION = 2, 1


MOTION_RESAMPLER_FILE = "motion_resampler.safetensors"
APPEARANCE_RESAMPLER_FILE = "appearance_resampler.safetensors"
CONTEXT_TRANSFORMER_FILE = "context_transformer.safetensors"
ADAPTER_FILE = "motion_adapter.safetensors"
BASE_ATTENTION_FILE = "base_attention.safetensors"
CALIBRATION_FILE = "token_calibration.safetensors"
REQUIRED_FILES = (MOTION_RESAMPLER_FILE, APPEARANCE_RESAMPLER_FILE, CONTEXT_TRANSFORMER_FILE, ADAPTER_FILE)
ALLOWED_FILES = (*REQUIRED_FILES, BASE_ATTENTION_FILE, CALIBRATION_FILE)

# Far above any published model: what a stranger's file may ask for before memory is.
_MOST_WIDTH, _MOST_SITES, _MOST_TABLE, _MOST_BYTES = 1 << 16, 4096, 1 << 24, 4 << 20
_MOST_FILE_BYTES = 1 << 40
_MOST = {"depth": 256, "layers": 256, "heads": 1024, "ff_mult": 64, "num_queries": 4096, "tokens_per_clip": 4096}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BASE_FACTS = ("fingerprint", "revision")


@dataclass(frozen=True)
class AdapterConfig:
    """`sites` maps each adapted attention's path in the base model to its hidden width."""

    token_dim: int
    sites: Mapping[str, int]


@dataclass(frozen=True)
class PackFile:
    """Hash and size of one file of the pack."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class PackConfig:
    """Everything of a pack but its weights.

    `encoders` maps retrieval, motion and appearance to their EncoderSpec, and captions too where one of their own reads
    them instead of retrieval's; `base` is the video model: a folder in the pack, whose content `base_fingerprint`
    identifies (older packs have none), or a hub name, perhaps at the commit `base_revision`; `references` is the number
    K of neighbours that the context transformer was trained with; `files` is filled in by `write_pack`.
    """

    name: str
    backbone: str
    motion_resampler: ResamplerConfig
    appearance_resampler: ResamplerConfig
    context_transformer: ContextTransformerConfig
    adapter: AdapterConfig
    encoders: Mapping[str, EncoderSpec]
    base: str
    references: int
    generation: Settings
    files: Mapping[str, PackFile] = field(default_factory=dict)
    base_fingerprint: str | None = None
    base_revision: str | None = None

    @classmethod
    def from_json(cls, path: Path) -> PackConfig:
        """Read and check pack.json.

        Raises PackTooNew: it has a later format version. PackInvalid: it is damaged, incomplete or contradicts itself;
        every problem is listed.
        """

        def refusal(reason: object) -> PackInvalid:
            return PackInvalid(f"Expected a readable JSON file at {path}, found none: {reason}. Copy the pack again.")

        try:
            content = read_regular(path, most_bytes=_MOST_BYTES)
        except OSError as error:
            raise refusal(error) from error
        with border(refusal):
            return cls.from_dict(json.loads(content.decode("utf-8")), where=str(path))

    @classmethod
    def from_dict(cls, values: Any, *, where: str = PACK_FILE) -> PackConfig:
        """The inverse of `to_dict`. Raises as `from_json`."""
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise PackInvalid(f'Expected "format": "{FORMAT}" in {where}, found another: this is no motion pack.')
        version = values.get("version")
        if not isinstance(version, int) or version < 1:
            raise PackInvalid(
                f"Expected a version from 1 to {VERSION} in {where}, received {version!r}: copy the pack again."
            )
        if version > VERSION:
            raise PackTooNew(
                f"Expected a format version up to {VERSION}, found {version} in {where}: update MotionRAG."
            )
        problems: list[str] = []
        config = _read_config(values, problems)
        if config is not None and not problems:
            problems = config.problems(with_files=True)
        if problems or config is None:
            raise _invalid(where, problems)
        return config

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary with format and version."""
        values = asdict(self)
        values["encoders"] = {role: spec.to_dict() for role, spec in self.encoders.items()}
        values["generation"] = self.generation.to_stored()
        known = {name: values.pop(f"base_{name}") for name in _BASE_FACTS}
        values["base"] = {"source": self.base, **{name: value for name, value in known.items() if value}}
        return {"format": FORMAT, "version": self.version, **values}

    @property
    def version(self) -> int:
        """The oldest format version that can hold this configuration."""
        specs = self.encoders.values()
        newer = any(spec.preprocessing is not None and spec.preprocessing.version > 1 for spec in specs)
        pinned = self.base_revision or any(spec.revision for spec in specs)
        optional = self.encoders.keys() & set(OPTIONAL_ROLES)
        return VERSION if newer or pinned or optional else FIRST_VERSION

    def to_json(self, path: Path) -> None:
        """Write pack.json, readable by people."""
        path.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    def validate(self, *, with_files: bool = False) -> None:
        """Check the parts against each other.

        Raises PackInvalid: lists every problem at once.
        """
        problems = self.problems(with_files=with_files)
        if problems:
            raise _invalid(f"pack {self.name}", problems)

    def problems(self, *, with_files: bool) -> list[str]:
        """Everything that contradicts itself, one sentence each; empty when the configuration is sound."""
        return [
            *self._identity_problems(),
            *self._size_problems(),
            *(f"generation.{problem}" for problem in self.generation.stored_problems() or self.generation.problems()),
            *(self._file_problems() if with_files else ()),
        ]

    def _identity_problems(self) -> list[str]:
        problems = []
        if not _NAME.fullmatch(self.name):
            problems.append(f"name: expected letters, digits, '.', '_' and '-', received {self.name!r}")
        if self.backbone not in backbone_names():
            problems.append(f"backbone: expected one of {', '.join(backbone_names())}, received {self.backbone!r}")
        for role in (*REQUIRED_ROLES, *OPTIONAL_ROLES):
            spec = self.encoders.get(role)
            if spec is None:
                if role in REQUIRED_ROLES:
                    problems.append(f"encoders.{role}: missing")
            elif spec.kind not in kinds_of(role):
                expected = " or ".join(kinds_of(role))
                problems.append(f"encoders.{role}.kind: expected {expected}, received {spec.kind!r}")
            elif (spec.preprocessing is None) == KINDS[spec.kind].reads_pixels:
                reads = KINDS[spec.kind].reads_pixels
                wanted = "the preprocessing of pixels" if reads else "null: it reads no pixels"
                problems.append(f"encoders.{role}.preprocessing: expected {wanted}")
            elif spec.preprocessing is not None and spec.preprocessing.problems():
                problems += [f"encoders.{role}.preprocessing.{problem}" for problem in spec.preprocessing.problems()]
            elif not isinstance(spec.source, str) or not _stays_inside(spec.source):
                problems.append(
                    f"encoders.{role}.source: expected a folder in the pack or a hub name, received {spec.source!r}"
                )
        problems += [
            f"encoders.{role}: not a role of an encoder"
            for role in self.encoders
            if role not in (*REQUIRED_ROLES, *OPTIONAL_ROLES)
        ]
        revisions = {f"encoders.{role}": spec.revision for role, spec in self.encoders.items()}
        problems += [
            f"{name}.revision: expected a commit of 40 hex digits, received {revision!r}"
            for name, revision in (revisions | {"base": self.base_revision}).items()
            if revision is not None and not (isinstance(revision, str) and _COMMIT.fullmatch(revision))
        ]
        if not _stays_inside(self.base):
            problems.append(f"base.source: expected a folder in the pack or a hub name, received {self.base!r}")
        return problems

    def _size_problems(self) -> list[str]:
        problems = []
        for part in ("motion_resampler", "appearance_resampler", "context_transformer"):
            for size in fields(getattr(self, part)):
                received = getattr(getattr(self, part), size.name)
                most = _MOST.get(size.name, _MOST_WIDTH)
                if not 1 <= received <= most:
                    problems.append(f"{part}.{size.name}: expected 1 to {most}, received {received}")
        widths = [width for width in self.adapter.sites.values() if not 1 <= width <= _MOST_WIDTH]
        if not 1 <= len(self.adapter.sites) <= _MOST_SITES or widths:
            problems.append(
                f"adapter.sites: expected 1 to {_MOST_SITES} sites, each with a width from 1 to {_MOST_WIDTH}"
            )
        context = self.context_transformer
        for name, received in (
            ("motion_resampler.output_dim", self.motion_resampler.output_dim),
            ("appearance_resampler.output_dim", self.appearance_resampler.output_dim),
            ("adapter.token_dim", self.adapter.token_dim),
        ):
            if received != context.token_dim:
                problems.append(
                    f"{name}: expected {context.token_dim} as context_transformer.token_dim, received {received}"
                )
        for name, received in (
            ("motion_resampler.num_queries", self.motion_resampler.num_queries),
            ("appearance_resampler.num_queries", self.appearance_resampler.num_queries),
        ):
            if received != context.tokens_per_clip:
                problems.append(
                    f"{name}: expected {context.tokens_per_clip} as context_transformer.tokens_per_clip, "
                    f"received {received}"
                )
        if context.heads > 0 and context.token_dim % context.heads:
            problems.append(f"context_transformer.heads: {context.heads} does not divide token_dim {context.token_dim}")
        if context.max_positions * context.token_dim > _MOST_TABLE:
            problems.append(f"context_transformer.max_positions: expected at most {_MOST_TABLE} / token_dim")
        room = context.max_positions // max(1, context.tokens_per_clip) - 1
        if not 1 <= self.references <= room:
            problems.append(f"references: expected 1 to {room}, the positions' room, received {self.references}")
        return problems

    def _file_problems(self) -> list[str]:
        problems = [f"files.{name}: missing" for name in REQUIRED_FILES if name not in self.files]
        problems += [
            f"files.{name}: expected one of {', '.join(ALLOWED_FILES)}"
            for name in self.files
            if name not in ALLOWED_FILES
        ]
        for name, entry in self.files.items():
            if not _SHA256.fullmatch(entry.sha256) or not 1 <= entry.size_bytes <= _MOST_FILE_BYTES:
                problems.append(f"files.{name}: expected 64 hex digits of sha256 and a size_bytes that a file has")
        return problems


def _stays_inside(source: str) -> bool:
    """Whether a source is a plain relative path (as hub names are too): it may not lead out of the pack's folder."""
    path = PurePosixPath(source.replace("\\", "/"))
    return bool(source) and not path.is_absolute() and ".." not in path.parts and ":" not in source


def _invalid(where: str, problems: list[str]) -> PackInvalid:
    listed = "\n".join(f"  - {problem}" for problem in problems)
    return PackInvalid(
        f"Expected a sound motion pack, but {where} has {len(problems)} problem{'s' if len(problems) > 1 else ''}. "
        f"Copy the pack again, or correct:\n{listed}"
    )


def _read_config(values: dict[str, Any], problems: list[str]) -> PackConfig | None:
    """PackConfig from JSON values, or None with the reasons added to `problems`."""
    values = {key: value for key, value in values.items() if key not in ("format", "version")}
    # What is known of the base stands beside its source.
    known = {entry.name for entry in fields(PackConfig)} - {f"base_{name}" for name in _BASE_FACTS}
    problems += [f"{name}: missing" for name in sorted(known - values.keys())]
    problems += [f"{name}: unexpected" for name in sorted(values.keys() - known)]
    parts: dict[str, Any] = {}
    for name, kind in (
        ("motion_resampler", ResamplerConfig),
        ("appearance_resampler", ResamplerConfig),
        ("context_transformer", ContextTransformerConfig),
        ("adapter", AdapterConfig),
    ):
        parts[name] = _read_dataclass(kind, values.get(name, {}), name, problems) if name in values else None
    parts["generation"] = _read_generation(values, problems)
    for name, plain in (("name", str), ("backbone", str), ("references", int)):
        parts[name] = values.get(name)
        if name in values and type(parts[name]) is not plain:
            problems.append(f"{name}: expected {plain.__name__}, received {parts[name]!r}")
    base = values.get("base")
    parts["base"] = base.get("source") if isinstance(base, dict) else None
    if "base" in values and not isinstance(parts["base"], str):
        problems.append('base: expected {"source": folder or hub name}')
    for name in _BASE_FACTS:
        value = parts[f"base_{name}"] = base.get(name) if isinstance(base, dict) else None
        if not isinstance(value, str | None):
            problems.append(f"base.{name}: expected text, received {value!r}")
    parts["encoders"] = _read_encoders(values.get("encoders", {}), problems)
    files = values.get("files", {})
    parts["files"] = {
        name: _read_dataclass(PackFile, entry, f"files.{name}", problems)
        for name, entry in (files.items() if isinstance(files, dict) else ())
    }
    if not isinstance(files, dict):
        problems.append("files: expected an object of file names")
    return None if problems else PackConfig(**parts)


def _read_generation(values: Mapping[str, Any], problems: list[str]) -> Settings | None:
    """The settings in the backbone's own class; None where either is missing or wrong."""
    if values.get("backbone") not in backbone_names():
        problems.append(f"backbone: expected one of {', '.join(backbone_names())}, received {values.get('backbone')!r}")
        return None
    kind = get_backbone(values["backbone"]).settings
    if "generation" not in values:
        return None
    settings = values["generation"]
    settings = kind.upgraded(settings) if isinstance(settings, dict) else settings
    read: Settings | None = _read_dataclass(kind, settings, "generation", problems, names=kind.stored_names())
    return read


def _read_encoders(values: Any, problems: list[str]) -> dict[str, EncoderSpec]:
    encoders = {}
    if not isinstance(values, dict):
        problems.append("encoders: expected an object with retrieval, motion and appearance")
        return {}
    for role, entry in values.items():
        try:
            encoders[role] = EncoderSpec.from_dict(entry)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            problems.append(f"encoders.{role}: expected kind, source, preprocessing and fingerprint ({error})")
    return encoders


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "Mapping[str, int]": (dict,),
}


def _read_dataclass(
    kind: type, values: Any, where: str, problems: list[str], *, names: Collection[str] | None = None
) -> Any:
    """An instance of a flat dataclass from JSON values, or None with the reasons added to `problems`.

    `names` are the fields that JSON may hold; left out, all.
    """
    if not isinstance(values, dict):
        problems.append(f"{where}: expected an object, received {values!r}")
        return None
    found = len(problems)
    known = [entry for entry in fields(kind) if names is None or entry.name in names]
    for entry in known:
        if entry.name not in values:
            if entry.default is MISSING:
                problems.append(f"{where}.{entry.name}: missing")
        elif type(values[entry.name]) not in _JSON_TYPES[str(entry.type)]:
            problems.append(f"{where}.{entry.name}: expected {entry.type}, received {values[entry.name]!r}")
    problems += [f"{where}.{name}: unexpected" for name in sorted(values.keys() - {entry.name for entry in known})]
    if isinstance(values.get("sites"), dict) and not all(type(width) is int for width in values["sites"].values()):
        problems.append(f"{where}.sites: expected the hidden width of each site as a whole number")
    return kind(**values) if len(problems) == found else None
