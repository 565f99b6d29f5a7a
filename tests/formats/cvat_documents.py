"""CVAT files made by hand for the tests, and the comparison of two of them as what they say."""

from pathlib import Path
from typing import Any

from lxml import etree

from dvcs import formats
from dvcs.files import BytesOrigin, MemorySink, MemorySource
from dvcs.model import Annotation, Dataset, Item
from tests.gallery import png

CVAT = formats.find("cvat")
DEFAULTS = {"source": "manual", "z_order": "0", "occluded": "0", "outside": "0"}
LABELS = """
      <labels>
        <label>
          <name>car</name>
          <color>#fa32b7</color>
          <type>any</type>
          <attributes>
            <attribute>
              <name>model</name>
              <mutable>False</mutable>
              <input_type>select</input_type>
              <default_value>1</default_value>
              <values>1
2</values>
            </attribute>
            <attribute>
              <name>speed</name>
              <mutable>True</mutable>
              <input_type>number</input_type>
              <default_value>0</default_value>
              <values>0
100
1</values>
            </attribute>
            <attribute>
              <name>parked</name>
              <mutable>True</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
        </label>
        <label>
          <name>road &amp; sky</name>
          <color>#000000</color>
          <type>any</type>
          <attributes/>
        </label>
        <label>
          <name>man</name>
          <type>skeleton</type>
          <attributes/>
          <svg>&lt;line data-type="edge" data-node-from="1" data-node-to="3"&gt;&lt;/line&gt;\
&lt;circle data-element-id="1" data-node-id="1" data-label-name="head"&gt;&lt;/circle&gt;\
&lt;circle data-element-id="3" data-node-id="3" data-label-name="foot"&gt;&lt;/circle&gt;\
&lt;circle data-element-id="2" data-node-id="2" data-label-name="hand"&gt;&lt;/circle&gt;</svg>
        </label>
        <label>
          <name>head</name>
          <type>points</type>
          <attributes/>
          <parent>man</parent>
        </label>
        <label>
          <name>hand</name>
          <type>points</type>
          <attributes>
            <attribute>
              <name>glove</name>
              <mutable>False</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
          <parent>man</parent>
        </label>
        <label>
          <name>foot</name>
          <type>points</type>
          <attributes/>
          <parent>man</parent>
        </label>
      </labels>"""


def images(*bodies: str, labels: str = LABELS) -> str:
    """Return a task of images of 20 x 10 pixels, called 0.png, 1.png, ..."""
    lines = "".join(
        f'  <image id="{n}" name="{n}.png" width="20" height="10">{body}</image>\n'
        for n, body in enumerate(bodies)
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>by hand</name>
      <size>{len(bodies)}</size>
      <mode>annotation</mode>{labels}
    </task>
    <dumped>2024-01-02 03:04:05.678901+00:00</dumped>
  </meta>
{lines}</annotations>
"""


def video(tracks: str, *, start: int = 0, stop: int | None = 10, step: int = 1) -> str:
    """Return a task of a video of 20 x 10 pixels."""
    size = "" if stop is None else f"<size>{(stop - start) // step + 1}</size>"
    end = "" if stop is None else f"<stop_frame>{stop}</stop_frame>"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>8</id>{size}
      <mode>interpolation</mode>
      <start_frame>{start}</start_frame>{end}
      <frame_filter>{f"step={step}" if step > 1 else ""}</frame_filter>{LABELS}
      <original_size><width>20</width><height>10</height></original_size>
    </task>
    <source>clip.mp4</source>
  </meta>
{tracks}
</annotations>
"""


def source(text: str | bytes, *pictures: str, path: str = "annotations.xml") -> MemorySource:
    """Return a CVAT file with PNGs of these names beside it."""
    data = text.encode() if isinstance(text, str) else text
    media = {name: BytesOrigin(lambda: png(1)) for name in pictures}
    return MemorySource({path: data}, media=media, name="cvat")


def read(text: str | bytes, *pictures: str) -> list[Item]:
    """Return the items of a file."""
    return list(formats.read(source(text, *pictures), CVAT))


def shapes(*bodies: str) -> list[Annotation]:
    """Return the annotations of one image with these elements."""
    (item,) = read(images("".join(bodies)))
    return list(item.annotations)


def written(dataset: Dataset, **options: Any) -> MemorySink:
    """Write a dataset."""
    sink = MemorySink()
    formats.write(dataset, CVAT, sink, **options)
    sink.finish()
    return sink


def again(text: str | bytes, *pictures: str, **options: Any) -> str:
    """Return a file as it is after it was read and written."""
    dataset = formats.read(source(text, *pictures), CVAT)
    return written(dataset, **options).files["annotations.xml"].decode()


def meaning(value: str | bytes | Path) -> Any:
    """Return what a file says as plain values: numbers as numbers, defaults left out."""
    data = value.read_bytes() if isinstance(value, Path) else value
    root = etree.fromstring(data.encode() if isinstance(data, str) else data)
    return _meaning(root)


def _meaning(element: Any) -> Any:
    attributes = {key: _number(text) for key, text in element.items() if DEFAULTS.get(key) != text}
    text = "\n".join((element.text or "").split())
    return element.tag, attributes, text, [_meaning(child) for child in element]


def _number(text: str) -> Any:
    try:
        return [[float(x) for x in pair.split(",")] for pair in text.split(";")]
    except ValueError:
        return text
