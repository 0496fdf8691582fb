"""The configuration: its sections together, and the table of all settings.

Values come from flags, else from ``rtswap.toml``, else from the defaults of ``app.sections``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from rtswap.app.io_sections import ConsoleConfig, InputConfig, MetricsConfig, NetworkConfig, OutputConfig
from rtswap.app.model_section import ModelsConfig
from rtswap.app.options import Option, options_of
from rtswap.app.sections import (
    BadgeConfig,
    BudgetConfig,
    EngineConfig,
    MarksConfig,
    MaskConfig,
    SafetyConfig,
    SourceConfig,
    SwapConfig,
    TrackingConfig,
)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a run."""

    source: SourceConfig = SourceConfig()
    input: InputConfig = InputConfig()
    output: OutputConfig = OutputConfig()
    tracking: TrackingConfig = TrackingConfig()
    swap: SwapConfig = SwapConfig()
    mask: MaskConfig = MaskConfig()
    models: ModelsConfig = ModelsConfig()
    safety: SafetyConfig = SafetyConfig()
    badge: BadgeConfig = BadgeConfig()
    marks: MarksConfig = MarksConfig()
    budget: BudgetConfig = BudgetConfig()
    engine: EngineConfig = EngineConfig()
    network: NetworkConfig = NetworkConfig()
    metrics: MetricsConfig = MetricsConfig()
    console: ConsoleConfig = ConsoleConfig()


SECTIONS: MappingProxyType[str, type[Any]] = MappingProxyType(
    {item.name: type(item.default) for item in fields(Config)}
)
"""Section of the TOML file -> its dataclass."""

RETIRED: MappingProxyType[str, str] = MappingProxyType(
    {"swap.delight": "no longer needed: hard light in a photo is always reduced"}
)
"""Keys of settings that are still accepted, but have no effect -> why. The flag is ``--`` and the name."""

OPTIONS: tuple[Option, ...] = tuple(row for name, part in SECTIONS.items() for row in options_of(name, part))
"""The table."""
