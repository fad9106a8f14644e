"""The kinds of panels: each tells what it shows, what to do about it, in which unit, and from where on it is bad."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# As often as the chart's monitors scrape: `$__rate_interval` is then four times as long at least.
STEP = "30s"
HIGH, LOW = 8, 4

Link = dashboard.DashboardLink
Panel = bargauge.Panel | heatmap.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
P = TypeVar("P", bargauge.Panel, heatmap.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` names the labels of each series in double braces.

    `is_limit`: it is drawn as a threshold is. `steps`: its own, of a number; below them all it is red.
    """

    expression: str
    legend: str
    exemplars: bool = False
    is_limit: bool = False
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says. `steps`: the colours from those values on, and `base` below them all."""

    title: str
    description: str
    unit: str
    width: int = 12
    steps: Mapping[str, float] = field(default_factory=dict)
    base: str = GREEN
    links: Sequence[Link] = ()
    data_links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each row of a table, as is now."""

    title: str
    expression: str
    unit: str
    steps: Mapping[str, float] = field(default_factory=dict)


def graph(
    about: About, *queries: Query, stacked: bool = False, lowest: float | None = 0, highest: float | None = None
) -> timeseries.Panel:
    """Over time; thresholds are lines across it."""
    lines = kinds.GraphThresholdsStyleMode.DASHED if about.steps else kinds.GraphThresholdsStyleMode.OFF
    panel = (
        _with(timeseries.Panel(), about, HIGH, [_over_time(query) for query in queries])
        .fill_opacity(25 if stacked else 8)
        .line_width(1)
        .show_points(kinds.VisibilityMode.NEVER)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(lines))
        .legend(_legend("lastNotNull", "max"))
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    _override(panel, [_limit() if query.is_limit else {} for query in queries])
    if lowest is not None:
        panel.min(lowest)
    return panel if highest is None else panel.max(highest)


def number(about: About, *queries: Query) -> stat.Panel:
    """The last value of each series, coloured by the thresholds, with its course behind it."""
    panel = _with(stat.Panel(), about, LOW, [_over_time(query) for query in queries])
    _override(
        panel, [{"thresholds": _thresholds(query.steps, RED).build()} if query.steps else {} for query in queries]
    )
    return (
        panel.color_mode(kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def bars(about: About, *queries: Query, highest: float) -> bargauge.Panel:
    """What is now, beside one another."""
    return (
        _with(bargauge.Panel(), about, HIGH, [_over_time(query) for query in queries])
        .min(0)
        .max(highest)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def states(about: About, query: Query, *, one: str, zero: str, two: str = "") -> statetimeline.Panel:
    """Over time, of what is 1 where it is well and else 0, in words; and 2, where that is a third state."""
    words = {
        "1": models.ValueMappingResult(text=one, color=GREEN),
        "0": models.ValueMappingResult(text=zero, color=RED),
    }
    if two:
        words["2"] = models.ValueMappingResult(text=two, color=BLUE)
    return (
        _with(statetimeline.Panel(), about, HIGH, [_over_time(query)])
        .mappings([models.ValueMap(options=words)])
        .show_value(kinds.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .legend(_legend())
    )


def heat(about: About, query: Query) -> heatmap.Panel:
    """How many observations there were in each bucket."""
    target = _over_time(query).format(PromQueryFormat.HEATMAP)
    scheme = heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return (
        _with(heatmap.Panel(), about, HIGH, [target])
        .calculate(False)
        .color(scheme.exponent(0.5).fill("dark-orange"))
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit(about.unit).axis_placement(kinds.AxisPlacement.LEFT))
        .mode(kinds.TooltipDisplayMode.SINGLE)
        .show_y_histogram()
        .show_legend()
        .exemplars_color("rgba(255,0,255,0.7)")
    )


def rows(about: About, columns: Sequence[Column], named: Mapping[str, str], most: str = "") -> table.Panel:
    """A row for each set of labels, which `named` gives names to, with its values as they are now.

    `most`: the title of the column whose highest value comes first.
    """
    targets = [_now(column.expression) for column in columns]
    values = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + at)}" for at in range(len(columns))]
    titles = {**named, **{value: column.title for value, column in zip(values, columns, strict=True)}}
    order = {name: at for at, name in enumerate(titles)}
    organised = {"excludeByName": {"Time": True}, "renameByName": titles, "indexByName": order, "includeByName": {}}
    panel = _with(table.Panel(), about, HIGH, targets).show_header(True)
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organised))
    if most:
        panel.sort_by([common.TableSortByFieldState().display_name(most).desc(True)])
    for column in columns:
        properties: list[tuple[str, object]] = [("unit", column.unit)]
        if column.steps:
            properties += [
                ("thresholds", _thresholds(column.steps, GREEN).build()),
                ("custom.cellOptions", kinds.TableColorTextCellOptions()),
            ]
        panel.override_by_name(
            column.title, [models.DynamicConfigValue(id_val=name, value=value) for name, value in properties]
        )
    return panel


def _with(panel: P, about: About, height: int, targets: Sequence[prometheus.Dataquery]) -> P:
    panel.title(about.title).description(about.description).unit(about.unit).datasource(SOURCE)
    panel.height(height).span(about.width).thresholds(_thresholds(about.steps, about.base))
    if about.links:
        panel.links([*about.links])
    if about.data_links:
        panel.data_links([*about.data_links])
    for at, target in enumerate(targets):
        panel.with_target(target.ref_id(chr(ord("A") + at)))
    return panel


def _override(panel: stat.Panel | timeseries.Panel, properties: Sequence[Mapping[str, object]]) -> None:
    """For the series of each query, whatever their names are."""
    for at, of_query in enumerate(properties):
        if of_query:
            found = [models.DynamicConfigValue(id_val=name, value=value) for name, value in of_query.items()]
            panel.override_by_query(chr(ord("A") + at), found)


def _limit() -> Mapping[str, object]:
    return {
        "color": models.FieldColor(mode=models.FieldColorModeId.FIXED, fixed_color=RED),
        "custom.lineStyle": kinds.LineStyle(fill="dash", dash=[10, 10]),
        "custom.fillOpacity": 0,
    }


def _thresholds(steps: Mapping[str, float], base: str) -> dashboard.ThresholdsConfig:
    found = [models.Threshold(None, base), *(models.Threshold(value, colour) for colour, value in steps.items())]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def _over_time(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).range()
    return target.interval(STEP).exemplar(query.exemplars)


def _now(expression: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).instant().format(PromQueryFormat.TABLE).legend_format("")


def _legend(*calculations: str) -> common.VizLegendOptions:
    shown = kinds.LegendDisplayMode.TABLE if calculations else kinds.LegendDisplayMode.LIST
    legend = common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM)
    return legend.display_mode(shown).calcs([*calculations])
