"""The versioned policy judges what commits and merges change, and nothing else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidPolicy, PolicyViolation
from dvcs.model import AttributeSpec, Bbox, Category, Item, Labels, Media, MediaFile
from dvcs.repository import Repository
from dvcs.repository.branches import create_branch, delete_branch, rename_branch
from dvcs.repository.editing import set_items
from dvcs.repository.importing import Request, run
from dvcs.repository.merges import merging
from dvcs.repository.merges.picking import revert
from dvcs.repository.policies.policy import policy_of
from dvcs.repository.policies.text import parse
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout
from tests.repository.scenes import commit


def box(x=1.0, w=10.0, label="cat", **fields):
    return Bbox(x=x, y=2.0, w=w, h=8.0, label=label, **fields)


def photo(name, **fields):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Media(files=(MediaFile(ext=".png", sha256=sha256, **fields),))


def item(id, *notes, subset="train", **fields):
    held = list(notes) or [box()]
    return Item(id=id, subset=subset, annotations=held, **{"media": photo(id), **fields})


def say(repo, text, branch=None):
    """Commit a policy alone; return the commit."""
    with repo.transaction(branch=branch) as change:
        change.policy = None if text is None else change.writer.blob(text.encode())
        return change.commit("Policy", operation="commit").oid


def edit(repo, *items, **how):
    return set_items(repo, "a", items, message="Edit", **how).oid


def refused(repo, action):
    """Return what is refused, place and reason; nothing may have changed."""
    before = repo.refs.all(), repo.refs.head(), len(list(repo.operations()))
    with pytest.raises(PolicyViolation) as caught:
        action()
    assert (repo.refs.all(), repo.refs.head(), len(list(repo.operations()))) == before
    assert caught.value.exit_code == 1
    return list(caught.value.violations)


@pytest.fixture
def pair(repo) -> Repository:
    """Items 1 and 2 in train, 3 in val, with labels cat and dog."""
    commit(repo, [item("1"), item("2"), item("3", subset="val")], labels=("cat", "dog"))
    return repo


# -- validation ----------------------------------------------------------------------------------


def test_a_commit_is_refused_for_faults_in_items_that_it_changes(pair):
    say(pair, '[validate]\ntask = "detection"\n')
    told = refused(pair, lambda: edit(pair, item("1", box(id=7), box(w=-3.0, id=9))))
    assert told == [("a/train/1#9", "bbox 'cat': width is -3 (NegativeLength)")]
    edit(pair, item("1", box(x=5.0)))


def test_faults_that_were_there_before_are_nobodys_new_fault(repo):
    commit(repo, [item("1", box(w=-1.0)), item("2")])
    say(repo, "[validate]\n")
    edit(repo, item("2", box(x=9.0)))
    assert len(refused(repo, lambda: edit(repo, item("1", box(w=-1.0, x=3.0))))) == 1


def test_warnings_refuse_only_where_the_policy_says_so(pair):
    say(pair, "[validate]\n")
    twice = item("1", box(), box())
    edit(pair, twice)
    say(pair, '[validate]\nfail-on = "warning"\n')
    again = item("2", box(), box())
    told = refused(pair, lambda: edit(pair, again))
    assert told == [
        ("a/train/2#n2", "bbox 'cat': the same label and shape as #n1 (DuplicateAnnotation)")
    ]
    off = '[validate]\nfail-on = "warning"\n[validate.rules]\nDuplicateAnnotation = "off"\n'
    say(pair, off)
    edit(pair, again)


def test_without_a_table_validate_nothing_is_validated(pair):
    say(pair, "no-leaks = true\n")
    edit(pair, item("1", box(w=-1.0)))


def test_a_label_that_is_taken_away_while_items_use_it_is_refused(pair):
    edit(pair, item("2", box(label="dog")))
    say(pair, "[validate]\n")

    def take_away():
        with pair.transaction() as change:
            change.set_labels("a", Labels(["cat"]))
            change.commit("x", operation="edit")

    assert refused(pair, take_away) == [
        ("a/train/2", "the label 'dog' is used, and not declared any more")
    ]


def test_the_first_twenty_reasons_are_shown_and_all_are_counted(pair):
    say(pair, "[validate]\n")
    many = [item(f"n{n:04}", box(w=-1.0)) for n in range(1200)]
    with pytest.raises(PolicyViolation) as caught:
        edit(pair, *many)
    assert caught.value.count == 1200
    lines = str(caught.value).split("\n")
    assert lines[0] == "'dvcs.toml' does not allow this commit, for 1,200 reasons:"
    assert lines[-1] == "  ... and 1,180 more"
    assert len(lines) == 22


# -- labels, attributes, licences ----------------------------------------------------------------


def test_labels_that_are_not_allowed_are_refused_where_they_are_used_or_declared(pair):
    say(pair, 'allowed-labels = ["cat"]\n')
    assert refused(pair, lambda: edit(pair, item("1", box(label="dog", id=4)))) == [
        ("a/train/1#4", "the label 'dog' is not allowed")
    ]
    told = refused(pair, lambda: edit(pair, item("1", box(label="cow"))))
    assert told == [
        ("a", "the label 'cow' is not allowed"),
        ("a/train/1#n1", "the label 'cow' is not allowed"),
    ]
    edit(pair, item("1", box(x=3.0)))  # 'dog' was declared before, and is not used here


def test_a_rename_to_a_label_that_is_not_allowed_is_refused(pair):
    say(pair, 'allowed-labels = ["cat", "dog"]\n')

    def rename(name):
        with pair.transaction() as change:
            change.set_labels("a", Labels(["cat", Category(key="dog", name=name)]))
            change.commit("x", operation="edit")

    assert refused(pair, lambda: rename("hound")) == [("a", "the label 'hound' is not allowed")]


def test_attributes_can_be_required_of_all_labels_and_of_some(pair):
    say(pair, 'required-attributes = { "*" = ["seen"], dog = ["breed"] }\n')
    seen = {"seen": True}
    edit(pair, item("1", box(attributes=seen)))
    told = refused(pair, lambda: edit(pair, item("1", box(), box(label="dog", attributes=seen))))
    assert told == [
        ("a/train/1#n1", "the attribute 'seen' is required"),
        ("a/train/1#n2", "the attribute 'breed' is required"),
    ]


def test_a_list_of_required_attributes_is_for_all_labels(pair):
    say(pair, 'required-attributes = ["seen"]\n')
    assert refused(pair, lambda: edit(pair, item("1", box(x=4.0)))) == [
        ("a/train/1#n1", "the attribute 'seen' is required")
    ]


def request(name, licence="", **fields):
    from dvcs.model import Dataset

    data = Dataset.from_items([item("9", subset="train")], ["cat"], **fields)
    return Request(data=data, name=name, licence=licence)


def test_a_source_must_say_its_licence(pair):
    say(pair, "licence = true\n")
    told = refused(pair, lambda: run(pair, request("b")))
    assert [place for place, _ in told] == ["b"]
    run(pair, request("b", "CC0-1.0"))
    coco = {"coco": {"licenses": [{"id": 1, "name": "MIT"}]}}
    run(pair, request("c", metadata=coco))
    assert refused(pair, lambda: edit(pair, item("1", box(x=7.0))))[0][0] == "a"


def test_only_some_licences_may_be_allowed(pair):
    say(pair, 'licence = ["CC0-1.0", "CC-BY-4.0"]\n')
    run(pair, request("b", "CC-BY-4.0"))
    assert refused(pair, lambda: run(pair, request("c", "CC-BY-NC-4.0"))) == [
        ("c", "the licence 'CC-BY-NC-4.0' is not among 'CC0-1.0', 'CC-BY-4.0'")
    ]


# -- frozen subsets ------------------------------------------------------------------------------


def test_nothing_is_added_to_changed_in_or_taken_from_a_frozen_subset(pair):
    say(pair, 'frozen = ["val"]\n')
    reason = ", and the subset 'val' is frozen"
    assert refused(pair, lambda: edit(pair, item("3", box(x=5.0), subset="val"))) == [
        ("a/val/3", f"it is changed{reason}")
    ]
    assert refused(pair, lambda: edit(pair, item("4", subset="val"))) == [
        ("a/val/4", f"it is added{reason}")
    ]
    assert refused(pair, lambda: edit(pair, remove=[("val", "3")])) == [
        ("a/val/3", f"it is removed{reason}")
    ]
    moved = lambda: edit(pair, item("3"), remove=[("val", "3")])  # noqa: E731
    assert refused(pair, moved) == [("a/val/3", f"it is removed{reason}")]
    moved_in = lambda: edit(pair, item("1", subset="val"), remove=[("train", "1")])  # noqa: E731
    assert refused(pair, moved_in) == [("a/val/1", f"it is added{reason}")]
    edit(pair, item("1", box(x=8.0)))


def test_a_label_of_a_frozen_subset_can_be_renamed(pair):
    say(pair, 'frozen = ["val"]\n')
    with pair.transaction() as change:
        change.set_labels("a", Labels([Category(key="cat", name="feline"), "dog"]))
        assert change.commit("x", operation="edit").changed


def test_what_is_learnt_of_media_is_no_change_of_a_frozen_subset(repo):
    unknown = Media(files=(MediaFile(ext=".png"),))
    commit(repo, [item("1"), item("3", subset="val", media=unknown)])
    say(repo, 'frozen = ["val"]\n')
    edit(repo, item("3", subset="val", media=photo("3", size=9)))
    assert len(refused(repo, lambda: edit(repo, item("3", subset="val", media=photo("x"))))) == 1


def test_a_frozen_subset_of_one_source_only(pair):
    commit(pair, [item("7", subset="val")], source="b")
    say(pair, 'frozen = ["b/val"]\n')
    edit(pair, item("3", box(x=5.0), subset="val"))
    told = refused(
        pair, lambda: set_items(pair, "b", [item("7", box(x=2.0), subset="val")], message="x")
    )
    assert [place for place, _ in told] == ["b/val/7"]


def test_a_frozen_subset_may_come_into_being(repo):
    say(repo, 'frozen = ["val"]\n')
    commit(repo, [item("1"), item("3", subset="val")])
    assert len(refused(repo, lambda: edit(repo, item("4", subset="val")))) == 1


# -- leaks ---------------------------------------------------------------------------------------


def test_media_in_two_subsets_is_refused(pair):
    say(pair, "no-leaks = true\n")
    leak = item("5", subset="val", media=photo("1"))
    told = refused(pair, lambda: edit(pair, leak))
    assert told == [("a/val/5", "it has the same media as 'a/train/1', in another subset")]
    edit(pair, item("5", media=photo("1")))  # twice in the same subset is no leak


def test_a_leak_between_sources_and_within_one_commit(pair):
    say(pair, "no-leaks = true\n")
    told = refused(
        pair, lambda: commit(pair, [item("x", subset="val", media=photo("2"))], source="b")
    )
    assert told == [("b/val/x", "it has the same media as 'a/train/2', in another subset")]
    both = [item("x", media=photo("new")), item("y", subset="test", media=photo("new"))]
    assert sorted(place for place, _ in refused(pair, lambda: edit(pair, *both))) == [
        "a/test/y",
        "a/train/x",
    ]


def test_moving_an_item_between_subsets_is_no_leak(pair):
    say(pair, "no-leaks = true\n")
    edit(pair, item("1", subset="val"), remove=[("train", "1")])


def test_a_leak_that_was_there_before_does_not_hinder_other_changes(repo):
    commit(repo, [item("1"), item("2", subset="val", media=photo("1"))])
    say(repo, "no-leaks = true\n")
    edit(repo, item("2", box(x=6.0), subset="val", media=photo("1")))
    edit(repo, item("3"))
    assert len(refused(repo, lambda: edit(repo, item("4", subset="val", media=photo("3"))))) == 1


def test_leaks_are_found_whatever_is_kept_of_earlier_commits(pair):
    say(pair, "no-leaks = true\n")
    kept = pair.layout.state / "leaks"
    for n in range(6):
        edit(pair, item(f"n{n}", subset="val"), item(f"m{n}"))
        if n == 2:
            for path in kept.iterdir():
                path.write_bytes(path.read_bytes()[:-1] + b"?")  # damaged: made anew
        if n == 4:
            edit(pair, item("m1", media=photo("other")), remove=[("train", "m2")])
    edit(pair, item("free1", subset="val", media=photo("m1")))
    edit(pair, item("free2", subset="val", media=photo("m2")))
    for name in ("m0", "m3", "m5", "other", "1"):
        leak = item("leak", subset="val", media=photo(name))
        assert len(refused(pair, lambda one=leak: edit(pair, one))) == 1, name
    assert list(kept.iterdir())


def test_frames_of_one_video_are_different_media(repo):
    def frame(n):
        return Media(kind="video_frame", files=(MediaFile(sha256="a" * 64),), frame=n)

    commit(repo, [item("1", media=frame(1))])
    say(repo, "no-leaks = true\n")
    edit(repo, item("2", subset="val", media=frame(2)))
    assert refused(repo, lambda: edit(repo, item("3", subset="val", media=frame(1))))


# -- which policy --------------------------------------------------------------------------------


def test_a_commit_cannot_loosen_the_policy_that_it_breaks(pair):
    say(pair, 'frozen = ["val"]\n')

    def both(text):
        with pair.transaction() as change:
            change.policy = None if text is None else change.writer.blob(text.encode())
            change.change_items("a", {"val": {b"3": None}})
            change.commit("x", operation="edit")

    assert refused(pair, lambda: both(None))
    assert refused(pair, lambda: both("no-leaks = true\n"))
    say(pair, None)
    edit(pair, remove=[("val", "3")])


def test_a_commit_must_keep_the_policy_that_it_brings(pair):
    def both():
        with pair.transaction() as change:
            change.policy = change.writer.blob(b'frozen = ["val"]\n')
            change.change_items("a", {"val": {b"3": None}})
            change.commit("x", operation="edit")

    assert refused(pair, both) == [("a/val/3", "it is removed, and the subset 'val' is frozen")]


def test_a_policy_that_cannot_be_read_is_refused_with_its_place(pair):
    with pytest.raises(InvalidPolicy, match=r"^dvcs\.toml:2:1: there is no key 'frozn'") as caught:
        say(pair, "no-leaks = true\nfrozn = []\n")
    assert caught.value.hint == "did you mean 'frozen'?"
    assert policy_of(pair, pair.resolve()) is None


def broken(repo):
    """Put a policy that cannot be read on the branch, past all checks, as plain Git would."""
    from dvcs.repository.oplog import Move, change

    with repo.transaction() as making:
        making.policy = making.writer.blob(b"[validate\n")
        oid = making.aside("x", operation="edit")
    old = repo.resolve().hex()
    change(repo.layout, "x", [Move("refs/heads/main", old, oid.hex())])


def test_a_broken_policy_that_came_by_other_means_can_be_mended_only(pair):
    broken(pair)
    with pytest.raises(InvalidPolicy, match=r"dvcs\.toml:1:10: .*stands in the last commit"):
        edit(pair, item("1", box(x=8.0)))
    say(pair, "no-leaks = true\n")
    edit(pair, item("1", box(x=8.0)))


# -- merges and branches -------------------------------------------------------------------------


def merge(repo, revision, **how):
    return merging.merge(repo, merging.Request(revision=revision, **how))


def test_merges_and_fast_forwards_are_judged_by_the_policy_of_the_branch(pair):
    pair.create_branch("topic", pair.resolve())
    edit(pair, item("3", box(x=5.0), subset="val"), branch="topic")
    pair.create_branch("ahead", pair.resolve())
    say(pair, 'frozen = ["val"]\n')
    told = refused(pair, lambda: merge(pair, "topic"))
    assert told == [("a/val/3", "it is changed, and the subset 'val' is frozen")]
    say(pair, 'frozen = ["val"]\n', branch="ahead")
    pair.create_branch("bad", pair.branches()["ahead"])
    say(pair, None, branch="bad")
    edit(pair, item("3", box(x=5.0), subset="val"), branch="bad")
    checkout.checkout(pair, "ahead")
    assert refused(pair, lambda: merge(pair, "bad")) == told  # a fast-forward


def test_a_protected_branch_moves_by_merges_only(pair):
    say(pair, '[branches]\nprotected = ["main", "release/*"]\n')
    with pytest.raises(PolicyViolation, match="the branch 'main' is protected") as caught:
        edit(pair, item("1", box(x=8.0)))
    assert caught.value.hint == (
        "commit on another branch ('dvcs checkout -b NAME'), and merge that"
    )
    pair.create_branch("topic", pair.resolve())
    edit(pair, item("1", box(x=8.0)), branch="topic")
    assert merge(pair, "topic").status == "fast-forward"
    edit(pair, item("2", box(x=8.0)), branch="topic")
    assert merge(pair, "topic", fast_forward=False).status == "merged"
    with pytest.raises(PolicyViolation):
        say(pair, None)
    with pytest.raises(PolicyViolation):
        revert(pair, "HEAD", mainline=1)
    with pytest.raises(PolicyViolation):
        merge_squashed(pair)


def merge_squashed(repo):
    edit(repo, item("2", box(x=3.0)), branch="topic")
    merge(repo, "topic", squash=True)


def test_a_protected_branch_does_not_go_back_or_away(pair):
    start = pair.resolve()
    say(pair, '[branches]\nprotected = ["main", "release/*"]\n')
    tip = pair.resolve()
    with pytest.raises(PolicyViolation, match="does not allow a reset to 'main~1'"):
        checkout.reset(pair, "main~1")
    checkout.reset(pair, "HEAD")
    pair.create_branch("release/1", tip)
    pair.create_branch("free", tip)
    for action in (
        lambda: create_branch(pair, "release/1", start, force=True),
        lambda: delete_branch(pair, "release/1", force=True),
        lambda: rename_branch(pair, "release/1", "other"),
        lambda: rename_branch(pair, "free", "release/1", force=True),
    ):
        refused(pair, action)
    delete_branch(pair, "free", force=True)
    assert undo(pair).command == "branch -d free"


def test_all_that_a_commit_holds_can_be_judged_by_its_own_policy(pair):
    from dvcs.errors import UsageError
    from dvcs.repository.policies.policy import audit

    with pytest.raises(UsageError, match="has no policy"):
        audit(pair, pair.resolve())
    edit(pair, item("4", subset="val", media=photo("1")))
    say(pair, 'no-leaks = true\nallowed-labels = ["cat"]\nfrozen = ["val"]\n')
    assert audit(pair, pair.resolve()) == (
        [
            ("a", "the label 'dog' is not allowed"),
            ("a/train/1", "it has the same media as 'a/val/4', in another subset"),
            ("a/val/4", "it has the same media as 'a/train/1', in another subset"),
        ],
        3,
    )


def test_without_a_policy_no_item_is_opened(pair, monkeypatch):
    from dvcs.repository.policies import judge as policy_judge

    monkeypatch.setattr(policy_judge, "changes", lambda *_: pytest.fail("looked for changes"))
    edit(pair, item("1", box(x=8.0)))
    assert policy_of(pair, pair.resolve()) is None


def test_declared_attributes_are_those_of_the_new_labels(pair):
    say(pair, "[validate]\n")
    cat = Category(name="cat", attributes=(AttributeSpec(name="seen", default=False),))
    with pair.transaction() as change:
        change.set_labels("a", Labels([cat, "dog"]))
        change.commit("x", operation="edit")
    told = refused(pair, lambda: edit(pair, item("1", box(attributes={"sen": True}))))
    assert told == [
        ("a/train/1#n1", "bbox 'cat': the attribute 'sen' is not declared (UndefinedAttribute)")
    ]


# -- the text ------------------------------------------------------------------------------------


def test_everything_that_a_policy_may_say():
    policy = parse(
        b"""\xef\xbb\xbffrozen = ["val", "coco/test"]
no-leaks = true
licence = true
allowed-labels = ["cat"]
required-attributes = ["seen"]
[validate]
task = "detection"
fail-on = "warning"
tolerance = 2
few-samples = 5
imbalance = 10
far-from-mean = 4
dominance = 0.9
top-bins = 0.2
[validate.rules]
OutsideImage = "off"
[branches]
protected = ["main", "release/*"]
[merge.iou]
person = 0.6
"""
    )
    options = policy.validation
    assert (options.task, options.tolerance, options.few_samples) == ("detection", 2.0, 5)
    assert (options.imbalance, options.far, options.dominance, options.bins) == (10, 4, 0.9, 0.2)
    assert dict(options.levels) == {"OutsideImage": "off"}
    assert policy.fail_on == "warning"
    assert policy.freezes("coco", "val")
    assert policy.freezes("coco", "test")
    assert not policy.freezes("voc", "test")
    assert policy.protects("release/1")
    assert not policy.protects(None)
    assert policy.required("cat") == ("seen",)
    assert (policy.licences, policy.iou) == ((), {"person": 0.6})
    assert parse(b"") == parse(b"# nothing\n")


@pytest.mark.parametrize(
    ("text", "where", "said", "hint"),
    [
        ("x = \n", "1:5", "invalid value", "it is TOML"),
        ("a = [1,\n", "2:1", "", "it is TOML"),
        ("frozn = []\n", "1:1", "no key 'frozn'", "did you mean 'frozen'?"),
        ("no_leaks = true\n", "1:1", "no key 'no_leaks'", "did you mean 'no-leaks'?"),
        ("\n  fail-on = 'error'\n", "2:3", "no key 'fail-on'", "'fail-on' stands in '[validate]'"),
        ("[validate]\nfrozen = []\n", "2:1", "in '[validate]'", "'frozen' stands above all tables"),
        ("[validate]\ntask = 'detecton'\n", "2:1", "'task' must be", "did you mean 'detection'?"),
        ("validate.task = 3\n", "1:1", "'task' must be one of", None),
        ("validate = 3\n", "1:1", "'validate' must be a table", None),
        (
            "[validate.rules]\n# x\nOutsidImage = 'off'\n",
            "3:1",
            "no rule 'OutsidImage'",
            "did you mean 'OutsideImage'?",
        ),
        ("[validate.rules]\nOutsideImage = 'of'\n", "2:1", "'OutsideImage' must be one of", None),
        ("frozen = 'val'\n", "1:1", "'frozen' must be a list of names", None),
        ("no-leaks = 1\n", "1:1", "'no-leaks' must be true or false", None),
        ("licence = 'MIT'\n", "1:1", "'licence' must be true, or a list", None),
        ("[required-attributes]\n'a b' = 3\n", "2:1", "'a b' must be a list of names", None),
        ("[merge.iou]\ncar = 2\n", "2:1", "'car' must be a number above 0", None),
        ("[merge]\niou = 0.5\n", "2:1", "'iou' must be a table", None),
        ("[validate]\nfew-samples = -1\n", "2:1", "'few-samples' must be a whole number", None),
        ("[branches]\nprotect = []\n", "2:1", "no key 'protect'", "did you mean 'protected'?"),
    ],
)
def test_what_a_policy_must_not_say_is_refused_with_its_place(text, where, said, hint):
    with pytest.raises(InvalidPolicy) as caught:
        parse(text.encode())
    assert str(caught.value).startswith(f"dvcs.toml:{where}: ")
    assert said in str(caught.value)
    if hint is not None:
        assert caught.value.hint == hint


def test_bytes_that_are_no_text_are_refused_with_their_place():
    with pytest.raises(InvalidPolicy, match=r"dvcs\.toml:2:3: the byte 0xff is not UTF-8"):
        parse(b"# ok\n# \xff\n")


KEYS = ("frozen", "validate", "rules", "task", "merge", "iou", "licence", "branches", "protected")
MARKS = ("=", "[", "]", "[[", "]]", "{", "}", ".", ",", "\n", "\0", "#", '"""', "'", "*")
VALUES = ('"val"', "true", "3", "-1", "nan", "1979-05-27T07:32:00Z", "required-attributes", '"*"')
WORDS = (*KEYS, *MARKS, *VALUES)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=20).map(lambda words: " ".join(words).encode())


@given(TEXTS | st.binary(max_size=40))
def test_whatever_a_file_holds_is_a_policy_or_told_with_its_place(data):
    told = None
    try:
        policy = parse(data)
    except InvalidPolicy as error:
        told = error.line, error.column
    else:
        assert isinstance(policy.freezes("a", "val"), bool)
        assert isinstance(policy.required("cat"), tuple)
    if told is not None:
        assert 1 <= told[0] <= data.count(b"\n") + 1
        assert told[1] >= 1
