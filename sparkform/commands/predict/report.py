"""What `sparkform predict` answers, for one case or for each row of a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sparkform.catalogue.describe import DescribedModel, apply_image, describe_row
from sparkform.commands.json_output import to_json
from sparkform.commands.speeds import DIGITS, SpeedFigures, round_speed
from sparkform.errors import InputError
from sparkform.sizing.rack_calibration import RackFit
from sparkform.sizing.row_request import predict_row
from sparkform.sizing.split import choose_cut
from sparkform.sizing.throughput import NodePerformance
from sparkform.sizing.throughput_ranges import Prediction


@dataclass(frozen=True, kw_only=True)
class CalibratedSpeed:
    """The same by what this user's racks measured of `build`, apart from the published figures.

    `range` is of `decode_tok_s`: 19 of 20 further measurements.
    """

    build: str
    measurements: int
    leave_one_out_error: float | None
    decode_tok_s: float
    per_request_tok_s: float
    range: tuple[float, float]
    ttft_s: float


@dataclass(frozen=True, kw_only=True)
class PredictionReport(SpeedFigures):
    """`range` is of `decode_tok_s`: what measured models of this class came to."""

    range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CalibratedReport(PredictionReport):
    """Where this user's racks measured the same build and quantisation."""

    calibrated: CalibratedSpeed


@dataclass(frozen=True, kw_only=True)
class SpeedQuestion:
    """One case. `tp` and `pp` are chosen where they are None."""

    engine: str
    nodes: int
    tp: int | None
    pp: int | None
    concurrency: int
    prompt_tokens: int | None
    output_tokens: int | None
    kv_cache: str
    image: str | None
    eager: bool
    moe_backend: str | None
    speculative: str | None
    draft_tokens: int


def predict_question(
    subject: DescribedModel, question: SpeedQuestion, machine: NodePerformance
) -> PredictionReport:
    """Raises InputError for a cut that the model does not allow."""
    cut, replicas = choose_cut(subject.shape, question.nodes, question.tp, question.pp)
    chosen = {"tp": cut.tensor_parallel, "pp": cut.pipeline_parallel, "dp": replicas}
    row = asdict(question) | chosen
    return _build_report(predict_row(apply_image(subject, question.image), row, machine))


def calibrate(report: PredictionReport, fit: RackFit, concurrency: int) -> CalibratedReport:
    """The report with what this rack's measurements make of it beside it."""
    speed = fit.speed.correct(concurrency)
    first_token = fit.first_token.correct(concurrency)
    low, high = (round(report.decode_tok_s * end, DIGITS) for end in (speed.low, speed.high))
    calibrated = CalibratedSpeed(
        build=fit.calibration_class.build,
        measurements=fit.count,
        leave_one_out_error=fit.leave_one_out,
        decode_tok_s=round(report.decode_tok_s * speed.factor, DIGITS),
        per_request_tok_s=round(report.per_request_tok_s * speed.factor, DIGITS),
        range=(low, high),
        ttft_s=round(report.ttft_s * first_token.factor, DIGITS),
    )
    return CalibratedReport(**vars(report), calibrated=calibrated)


def answer_row(row: Mapping[str, object], machine: NodePerformance) -> dict[str, object]:
    """The row with its prediction; one that cannot be answered says why instead."""
    image = row.get("image")
    try:
        subject = apply_image(describe_row(row), str(image) if image else None)
        report = _build_report(predict_row(subject, row, machine))
    except InputError as error:
        return {**row, "predicted": None, "problem": str(error)}
    return {**row, "predicted": to_json(report)}


def _build_report(prediction: Prediction) -> PredictionReport:
    ends = (prediction.decode_low_tok_s, prediction.decode_high_tok_s)
    low, high = (round(end, DIGITS) for end in ends)
    return PredictionReport(**asdict(round_speed(prediction.speed)), range=(low, high))
