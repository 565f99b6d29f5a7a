"""
Geometry on plain numbers and numpy arrays: boxes, polygons, masks, keypoints, polylines, pairing.

Nothing here knows annotations or files. One set of conventions holds everywhere:

* pixels, x to the right, y down, continuous: pixel (0, 0) covers [0, 1] x [0, 1];
* a box is x, y, w, h; a rotated box cx, cy, w, h, angle in degrees, clockwise as seen;
* a ring is flat, x0, y0, x1, y1, ..., not closed by a repeated point; a part is a list of rings,
  the outer one first, then its holes; a polygon is a list of parts and means their union;
* a mask is `(size, counts)`: size is (h, w), counts are COCO's run lengths in column-major order.

What no algorithm can work with (NaN, infinity, an odd number of coordinates, runs that do not add
up) raises `InvalidShape`.
"""
