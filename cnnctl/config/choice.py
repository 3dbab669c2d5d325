"""Families, whose members are chosen by name, and the base of all specs.

A family is a class with `family="optimizers"`; a member is a subclass with `kind="sgd"`. Declaring
the class enters it in the table in which names are looked up; validation, the JSON schema,
`cnnctl list` and the error messages read it. Nothing is imported or evaluated by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, LiteralString, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from cnnctl.config.helps import field_helps
from cnnctl.config.wording import show
from cnnctl.errors import closest, nearest

MANY = 20
"""Number of kinds above which a message does not list them."""

UNKNOWN = "unknown_kind"
"""The error type for an unknown kind."""


class Spec(BaseModel):
    """A mapping in a configuration: typed fields, each with a default and help."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        ser_json_inf_nan="constants",
        defer_build=True,  # a third of the time that all imports take
    )

    written_out: ClassVar[tuple[str, ...]] = ()
    """Options of a file that are expanded before it is validated."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Other programs' names for options, which get a hint."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe every field by its help, the docstring below it."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        add_helps(properties, cls)
        for name, info in cls.model_fields.items():
            if name in properties and isinstance(info.default, Choice):
                properties[name]["default"] = info.default.written()  # with its kind
        return described


def add_helps(properties: dict[str, Any], kind: type[BaseModel]) -> None:
    """Describe the properties of a JSON schema by the help of their fields."""
    for name, text in field_helps(kind).items():
        if name in properties:
            properties[name]["description"] = text


class Choice(Spec):
    """The base of a family; see the module.

    Class arguments:
        family: names the family, and makes the class its abstract base.
        item: members are items of a list, `kind` or `kind: options`; otherwise a member is a
            section, `{name: kind, option: …}` or `kind` alone.
        kind: names a member.
        short: the field that `kind: value` fills.
    """

    family: ClassVar[str] = ""
    item: ClassVar[bool] = False
    kind: ClassVar[str] = ""
    short: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Choice]]] = {}
    families: ClassVar[dict[str, type[Choice]]] = {}

    def __init_subclass__(
        cls, *, family: str = "", item: bool = False, kind: str = "", short: str = "", **rest: Any
    ) -> None:
        """Enter the class in its table."""
        super().__init_subclass__(**rest)
        if family:
            cls.family, cls.item, cls.kinds = family, item, {}
            Choice.families[family] = cls
        cls.kind, cls.short = kind, short
        if kind in cls.kinds:
            raise TypeError(f"{cls.family} has two kinds named {kind}")
        if kind:
            cls.kinds[kind] = cls

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """A family validates any of its members; a member validates itself."""
        if cls.family and not cls.kind:
            return core_schema.no_info_plain_validator_function(
                cls.read,
                serialization=core_schema.plain_serializer_function_ser_schema(
                    lambda member: member.written()
                ),
            )
        return handler(source)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A family is a reference, which `config.schema` resolves once all kinds are known."""
        if cls.family and not cls.kind:
            return {"$family": cls.family}
        return super().__get_pydantic_json_schema__(schema, handler)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Read a member in any of its forms: `kind`, `kind: options`, `{name: kind, …}`."""
        if isinstance(value, cls):
            return value
        kind, options = cls._split_item(value) if cls.item else cls._split_section(value)
        member = cls.kinds.get(kind)
        if member is None:
            raise unknown_kind(cls, kind)
        if options is None:
            options = {}
        elif not isinstance(options, dict):
            options = member._long_form(options)
        return member.model_validate(options)  # type: ignore[return-value]

    @classmethod
    def _split_section(cls, value: Any) -> tuple[str, Any]:
        if isinstance(value, str):
            return value, None
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], {k: v for k, v in value.items() if k != "name"}
        form = "add name: …" if isinstance(value, dict) else "write {name: …}"
        misspelt = cls._misspelt_name(value) if isinstance(value, dict) else ""
        meant = f"did you mean name instead of {misspelt}?" if misspelt else ""
        hint = meant or f"{form}; known: {', '.join(cls.kinds)}"
        raise refusal(f"{cls.noun(a=True)} needs a name", hint=hint)

    @classmethod
    def _misspelt_name(cls, section: dict[str, Any]) -> str:
        """The key of a section that is likely a misspelt `name`, if there is one."""
        options = {option for kind in cls.kinds.values() for option in kind.model_fields}
        unknown = (key for key in section if key not in options and isinstance(section[key], str))
        return next((key for key in unknown if closest(key, ("name", *options)) == ["name"]), "")

    @classmethod
    def _split_item(cls, value: Any) -> tuple[str, Any]:
        if isinstance(value, str):
            return value, None
        if isinstance(value, dict) and len(value) == 1:
            return next(iter(value.items()))
        hint = f"use one listed by `cnnctl list {cls.family}`"
        if isinstance(value, dict) and value:
            kind = next(iter(value))
            hint = f"indent the options of {kind} two spaces further, and start each kind with a -"
        raise refusal(f"{cls.noun(a=True)} is `kind` or `kind: options`", hint=hint)

    @classmethod
    def _long_form(cls, value: Any) -> dict[str, Any]:
        if cls.short:
            return {cls.short: value}
        shared = cls.families[cls.family].model_fields
        own = next((name for name in cls.model_fields if name not in shared), "")
        hint = f"write {cls.kind}: {{{own}: …}}" if own else f"write just {cls.kind}"
        raise refusal(f"{cls.kind} takes no value", hint=hint)

    @classmethod
    def noun(cls, *, a: bool = False) -> str:
        """The family's name for one of its members: `layer`, or `a layer`."""
        noun = {"losses": "loss"}.get(cls.family, cls.family.removesuffix("s")).replace("_", " ")
        article = "an" if noun[0] in "aeiou" else "a"
        return f"{article} {noun}" if a else noun

    def options(self) -> dict[str, Any]:
        """The options as plain data, with defaults filled in."""
        return self.model_dump(mode="json")

    def written(self) -> Any:
        """The member as it would be written in a file, with every default filled in."""
        options = {k: v for k, v in self.options().items() if not self._is_absent(k, v)}
        if not self.item:
            return {"name": self.kind, **options}
        return {self.kind: options} if options else self.kind

    def _is_absent(self, name: str, value: Any) -> bool:
        return value is None and type(self).model_fields[name].default is None

    @classmethod
    def stands_alone(cls) -> bool:
        """Whether the kind can be written without options."""
        try:
            cls.model_validate({})
        except ValidationError:
            return False
        return True

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """The options of this kind with their help, by name, in the order they were declared."""
        helps = field_helps(cls)
        for name, info in cls.model_fields.items():
            info.description = helps.get(name)
        return dict(cls.model_fields)


def unknown_kind(family: type[Choice], kind: str) -> PydanticCustomError:
    """The error for a name that no member has; suggestions are computed once it is shown."""
    # pydantic encodes the message as UTF-8; a kind may contain a lone surrogate
    plain = kind.encode(errors="backslashreplace").decode()
    context = {"noun": family.noun(), "shown": show(kind), "kind": plain, "family": family}
    return PydanticCustomError(UNKNOWN, "no {noun} is named {shown}", context)


def nearest_kind(family: type[Choice], kind: str, *more: str) -> str:
    """The hint for an unknown kind; `more` are further names to suggest."""
    names = sorted({*family.kinds, *more})
    close = closest(kind, names)
    if not close and len(names) > MANY:
        return f"`cnnctl list {family.family}` lists all"
    return nearest(kind, names)


def refusal(message: str, *, hint: str, reason: LiteralString = "refusal") -> PydanticCustomError:
    """The error that a validator of a spec raises: a message and a hint for the value."""
    return PydanticCustomError(reason, "{message}", {"message": message, "hint": hint})
