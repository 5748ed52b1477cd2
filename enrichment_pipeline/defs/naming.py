"""How our objects fit into a code location that is somebody else's: names, and what comes first.

Here: prefixes for asset keys, groups, jobs, schedules, sensors and ops, and depending on another
project's asset. Resources have names of our own already, each beginning with `enrichment_`. Not
here: the objects themselves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

_COMES_FIRST = "comes_first"


@dataclass(frozen=True)
class Naming:
    """The prefixes; without any, everything is called as it is declared."""

    key_prefix: tuple[str, ...] = ()
    group_prefix: str | None = None

    def key(self, asset: str) -> dg.AssetKey:
        """The key of one of our assets."""
        return dg.AssetKey([*self.key_prefix, asset])

    def name(self, declared: str) -> str:
        """The name of a job, schedule or sensor: they have no folders to lie in."""
        return _identifier("_".join([*self.key_prefix, declared]))

    def apply(self, assets: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
        """The assets under these names; what they depend on among themselves follows."""
        declared = list(assets)
        if self.group_prefix:
            declared = list(dg.map_asset_specs(self._grouped, declared))
        if not self.key_prefix:
            return declared
        keys = {key: key.with_prefix(self.key_prefix) for each in declared for key in each.keys}
        return [
            self._op_named(each.with_attributes(asset_key_replacements=keys)) for each in declared
        ]

    def _grouped(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(group_name=f"{self.group_prefix}_{spec.group_name}")

    def _op_named(self, assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        """The assets computed by an op of another name: a code location has each name once.

        It is the name that Dagster gives to the op of an asset with such a key.
        """
        name = _identifier("__".join([*self.key_prefix, assets.op.name]))
        return _changed(assets, node_def=assets.op.with_replaced_properties(name=name))


def come_after(assets: dg.AssetsDefinition, before: dg.AssetKey) -> dg.AssetsDefinition:
    """The assets, computed after another one.

    `map_asset_specs` shows such a dependency, but a run does not wait for it (Dagster 1.13).
    """
    inputs = {each.name: dg.In.from_definition(each) for each in assets.op.input_defs}
    op = assets.op.with_replaced_properties(
        name=assets.op.name, ins={**inputs, _COMES_FIRST: dg.In(dg.Nothing)}
    )
    return _changed(
        assets,
        node_def=op,
        keys_by_input_name={**assets.node_keys_by_input_name, _COMES_FIRST: before},
        specs=[spec.merge_attributes(deps=[before]) for spec in assets.specs],
    )


def _changed(assets: dg.AssetsDefinition, **changes: Any) -> dg.AssetsDefinition:
    """A copy with other attributes, for which Dagster has no public function."""
    attributes: dict[str, Any] = {**assets.get_attributes_dict(), **changes}
    return dg.AssetsDefinition.dagster_internal_init(**attributes)


def _identifier(text: str) -> str:
    return re.sub(r"\W", "_", text, flags=re.ASCII)


def key_parts(prefix: str | Sequence[str] | None) -> tuple[str, ...]:
    """A prefix as it may be given, as its parts."""
    if prefix is None:
        return ()
    return (prefix,) if isinstance(prefix, str) else tuple(prefix)
