"""Rules about whole datasets: counts, distributions, statistics, and the report."""

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.dataset import Dataset
from dvcs.model import AttributeSpec, Bbox, Category, Item, Labels
from dvcs.validate import Options, validate, validate_dataset
from dvcs.validate.rules import MOST_VALUES
from tests.conftest import needs_samples


def box(label="cat", w=10.0, h=10.0, **attributes):
    return Bbox(x=0.0, y=0.0, w=w, h=h, label=label, attributes=attributes)


def dataset(*notes, labels=("cat", "dog")):
    """Return a dataset with an item for each annotation."""
    items = [Item(id=f"{n}", annotations=[note]) for n, note in enumerate(notes)]
    return Dataset(labels, lambda: items)


def told(data, **options):
    return [
        (one.anomaly_type, one.description) for one in validate_dataset(data, Options(**options))
    ]


def test_a_dataset_without_labels_is_told_of():
    data = Dataset((), lambda: [Item(id="1", annotations=[Bbox(x=0.0, y=0.0, w=1.0, h=1.0)])])
    assert told(data) == [
        ("MissingLabel", "the bbox has no label"),
        ("MissingLabelCategories", "the dataset declares no labels"),
    ]


def test_labels_that_are_never_used_or_rare_or_alone():
    assert told(dataset(box())) == [
        ("FewSamplesInLabel", "the label 'cat' has 1 annotation"),
        ("LabelDefinedButNotFound", "the label 'dog' is declared and never used"),
        ("OnlyOneLabel", "only the label 'cat' is used"),
    ]
    both = [box(), box(), box("dog"), box("dog")]
    assert told(dataset(*both)) == []
    assert [rule for rule, _ in told(dataset(*both), few_samples=2)] == ["FewSamplesInLabel"] * 2


def test_labels_far_more_frequent_than_others():
    notes = [box()] * 8 + [box("dog")] * 2
    assert told(dataset(*notes), imbalance=4) == [
        (
            "ImbalancedLabels",
            "of the labels, 'cat' (8) is 4 times as frequent as 'dog' (2)",
        )
    ]
    assert told(dataset(*notes), imbalance=4.1) == []


def test_attributes_never_used_and_with_one_value_or_rare_ones():
    labels = Labels(
        [
            Category(
                name="cat",
                attributes=(
                    AttributeSpec(name="sex", default="f"),
                    AttributeSpec(name="age", default=0),
                ),
            )
        ]
    )
    notes = [box(sex="f"), box(sex="f"), box(sex="m")]
    found = told(dataset(*notes, labels=labels), levels={"OnlyOneLabel": "off"})
    assert found == [
        ("AttributeDefinedButNotFound", "the attribute 'age' of 'cat' is declared and never used"),
        ("FewSamplesInAttribute", "the attribute 'sex' of 'cat' is 'm' 1 time only"),
    ]
    found = told(dataset(*notes[:2], labels=labels), levels={"OnlyOneLabel": "off"})
    assert ("OnlyOneAttributeValue", "the attribute 'sex' of 'cat' is always 'f'") in found


def test_free_text_is_not_kept_value_by_value():
    notes = [box(note=f"text {n}") for n in range(MOST_VALUES + 5)]
    report = validate(dataset(*notes), Options(levels={"OnlyOneLabel": "off"}))
    assert report.by_rule() == {"LabelDefinedButNotFound": 1}
    assert report.statistics["attribute_distribution"] == {"cat": {"note": {"distribution": None}}}


def test_a_shape_far_from_the_mean_of_its_label_is_named():
    notes = [box(w=9.0 + n % 3, h=10.0) for n in range(60)] + [box(w=500.0, h=10.0)]
    report = validate(dataset(*notes, labels=["cat"]), Options(task="detection"))
    far = [one for one in report.findings if one.anomaly_type == "FarFromLabelMean"]
    assert [one.item_id for one in far] == ["60"]
    assert far[0].description == (
        "of 'cat', width is 500 (mean 18.03), area(wxh) is 5000 (mean 180.3),"
        " ratio(w/h) is 50 (mean 1.803), long is 500 (mean 18.36)"
    )


def test_sizes_are_not_looked_at_without_a_task_that_has_them():
    notes = [box(w=9.0 + n % 3) for n in range(60)] + [box(w=500.0)]
    rules = {rule for rule, _ in told(dataset(*notes))}
    assert not {"FarFromLabelMean", "ImbalancedDistInLabel"} & rules


def test_shapes_of_nearly_one_size_are_told_of():
    notes = [box(w=10.0 + n / 100) for n in range(19)] + [box(w=60.0)]
    found = told(dataset(*notes, labels=["cat"]), task="detection", far=100)
    assert ("ImbalancedDistInLabel", "of 'cat', 95% have nearly the same width") in found


def test_sizes_are_compared_within_values_of_attributes():
    big = [box(w=500.0 + n, h=10.0, view="near") for n in range(40)]
    small = [box(w=9.0 + n % 3, h=10.0, view="far") for n in range(40)] + [
        box(w=500.0, h=10.0, view="far")
    ]
    report = validate(dataset(*big, *small, labels=["cat"]), Options(task="detection"))
    far = [one.item_id for one in report.findings if one.anomaly_type == "FarFromAttrMean"]
    assert far == ["80"]
    assert "FarFromLabelMean" not in report.by_rule()


@given(st.lists(st.floats(0.5, 1e4), min_size=3, max_size=60))
def test_means_and_deviations_are_those_of_the_statistics_module(widths):
    data = dataset(*(box(w=one, h=1.0) for one in widths), labels=["cat"])
    report = validate(data, Options(task="detection"))
    held = report.statistics["bbox_distribution_in_label"].get("cat", {}).get("width")
    if held is None:
        assert statistics.pstdev(widths) == pytest.approx(0, abs=1e-6)
        return
    assert held["mean"] == pytest.approx(statistics.fmean(widths))
    assert held["stdev"] == pytest.approx(statistics.pstdev(widths), rel=1e-6, abs=1e-9)
    assert (held["min"], held["max"]) == (min(widths), max(widths))
    assert sum(held["histogram"]["counts"]) == len(widths)


def test_many_shapes_are_taken_in_by_blocks_with_the_same_result():
    widths = [1.0 + (n * 7919 % 1000) / 10 for n in range(10_000)]
    data = dataset(*(box(w=one, h=2.0) for one in widths), labels=["cat"])
    held = validate(data, Options(task="detection")).statistics
    width = held["bbox_distribution_in_label"]["cat"]["width"]
    assert width["mean"] == pytest.approx(statistics.fmean(widths), rel=1e-12)
    assert width["stdev"] == pytest.approx(statistics.pstdev(widths), rel=1e-12)
    assert sum(width["histogram"]["counts"]) == 10_000


def test_the_report_has_the_keys_of_datumaros():
    report = validate(dataset(box("cow"), box(w=-1.0)), Options(task="detection"))
    plain = json.loads(json.dumps(report.plain()))
    assert plain["summary"] == {"errors": 2, "warnings": 3, "infos": 0}
    assert plain["validation_reports"][0] == {
        "anomaly_type": "UndefinedLabel",
        "description": "the label 'cow' is not declared",
        "severity": "error",
        "subset": "default",
        "item_id": "0",
        "annotation": {"index": 0, "kind": "bbox", "label": "cow"},
    }
    assert plain["statistics"]["label_distribution"] == {
        "defined_labels": {"cat": 1, "dog": 0},
        "undefined_labels": {"cow": {"count": 1}},
    }


def test_a_report_fails_from_a_severity_on():
    report = validate(dataset(box(), box("dog")))
    assert report.by_rule() == {"FewSamplesInLabel": 2}
    assert (report.fails("error"), report.fails("warning"), report.fails("info")) == (
        False,
        True,
        True,
    )


def test_published_datasets_have_the_faults_that_they_are_known_for():
    data = Dataset.import_from(needs_samples("bccd", "BCCD"), "voc")
    report = data.validate(task="detection")
    negative = [one.where for one in report.findings if one.anomaly_type == "NegativeLength"]
    assert negative == ["train/BloodImage_00343#n4", "val/BloodImage_00338#n13"]
    taco = Dataset.import_from(needs_samples("taco")).validate(task="segmentation")
    assert taco.count("error") == 0
    assert taco.by_rule()["LabelDefinedButNotFound"] == 1
