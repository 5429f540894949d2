"""Plain, slow, independent versions of the geometry and of every protocol, to hold the real ones against.

Areas are exact: rational numbers, one horizontal slab after another, parity counted from left to right.
Protocols are the double loops that one would write from the rules, over dense tables of floats.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from hypothesis import strategies as st


def box(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def shoelace(polygon):
    points = [(int(x), int(y)) for x, y in polygon]
    return Fraction(
        abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True))), 2
    )


def _edges(polygon):
    points = [(Fraction(int(x)), Fraction(int(y))) for x, y in polygon]
    return list(zip(points, points[1:] + points[:1], strict=True))


def _crossing_y(p, q, r, s):
    dx1, dy1, dx2, dy2 = q[0] - p[0], q[1] - p[1], s[0] - r[0], s[1] - r[1]
    cross = dx1 * dy2 - dy1 * dx2
    if cross == 0:
        return None
    t = ((r[0] - p[0]) * dy2 - (r[1] - p[1]) * dx2) / cross
    return p[1] + t * dy1


def even_odd_intersection(a, b):
    """Area of the points inside both polygons, inside meaning an odd number of windings."""
    edges = [(edge, 0) for edge in _edges(a)] + [(edge, 1) for edge in _edges(b)]
    levels = {point[1] for (p, q), _ in edges for point in (p, q)}
    for ((p, q), _), ((r, s), _) in combinations(edges, 2):
        y = _crossing_y(p, q, r, s)
        if y is not None:
            levels.add(y)
    heights = sorted(levels)
    area = Fraction(0)
    for low, high in pairwise(heights):
        middle = (low + high) / 2
        hits = []
        for (p, q), owner in edges:
            if min(p[1], q[1]) < middle < max(p[1], q[1]):
                hits.append((p[0] + (middle - p[1]) * (q[0] - p[0]) / (q[1] - p[1]), owner))
        hits.sort()
        inside = [False, False]
        for (x, owner), (next_x, _) in pairwise(hits):
            inside[owner] = not inside[owner]
            if all(inside):
                area += (next_x - x) * (high - low)
    return area


def _tables(polygons, truths):
    inter = [[float(even_odd_intersection(t, d)) for d in polygons] for t in truths]
    return inter, [float(shoelace(t)) for t in truths], [float(shoelace(d)) for d in polygons]


def _iou(inter, a, b):
    return inter / (a + b - inter) if a + b - inter else 0.0


def ious(polygons, truths):
    inter, ta, da = _tables(polygons, truths)
    return [[_iou(inter[t][d], ta[t], da[d]) for d in range(len(da))] for t in range(len(ta))]


def shares(polygons, truths):
    """sigma and tau, dense."""
    inter, ta, da = _tables(polygons, truths)
    sigma = [[inter[t][d] / ta[t] if ta[t] else 0.0 for d in range(len(da))] for t in range(len(ta))]
    tau = [[inter[t][d] / da[d] if da[d] else 0.0 for d in range(len(da))] for t in range(len(ta))]
    return sigma, tau


def icdar2015(polygons, truths, ignored):
    """(texts, detections, hits)."""
    iou, (_, tau) = ious(polygons, truths), shares(polygons, truths)
    n, m = len(truths), len(polygons)
    dropped = [any(ignored[t] and tau[t][d] > 0.5 for t in range(n)) for d in range(m)]
    used_t, used_d = set(), set()
    for t in range(n):
        for d in range(m):
            if ignored[t] or dropped[d] or t in used_t or d in used_d:
                continue
            if iou[t][d] > 0.5:
                used_t.add(t)
                used_d.add(d)
    return n - sum(ignored), m - sum(dropped), len(used_t)


def ctw1500(polygons, truths):
    """(texts, detections, hits)."""
    iou, covered, hits = ious(polygons, truths), set(), 0
    for d in range(len(polygons)):
        new = {t for t in range(len(truths)) if iou[t][d] >= 0.5 and t not in covered}
        covered |= new
        hits += bool(new)
    return len(truths), len(polygons), hits


def deteval(polygons, truths, ignored, tr, tp):
    """(texts, detections, recall credit, precision credit)."""
    da = [float(shoelace(d)) for d in polygons]
    care_d = [
        d
        for d in range(len(polygons))
        if not any(
            i and float(even_odd_intersection(t, polygons[d])) / (da[d] + 1.0) > 0.5
            for t, i in zip(truths, ignored, strict=True)
        )
    ]
    kept_truths = [t for t, i in zip(truths, ignored, strict=True) if not i]
    kept = [polygons[d] for d in care_d]
    n, m = len(kept_truths), len(kept)
    if not n or not m:
        return n, m, 0.0, 0.0
    sigma, tau = (np.round(np.array(table), 2) for table in shares(kept, kept_truths))
    gt, det = np.zeros(n, bool), np.zeros(m, bool)
    recall = precision = 0.0
    for t in range(n):
        by_sigma, by_tau = np.flatnonzero(sigma[t] > tr), np.flatnonzero(tau[t] > tp)
        if len(by_sigma) != 1 or len(by_tau) != 1:
            continue
        if (sigma[:, by_sigma[0]] > tr).sum() == 1 and (tau[:, by_tau[0]] > tp).sum() == 1:
            recall, precision = recall + 1, precision + 1
            gt[t] = det[by_sigma[0]] = True
    for t in range(n):
        if gt[t] or (sigma[t] > 0).sum() < 2:
            continue
        parts = np.flatnonzero((tau[t] >= tp) & ~det)
        if len(parts) == 1 and sigma[t, parts[0]] >= tr:
            recall, precision = recall + 1, precision + 1
            gt[t] = det[parts] = True
        elif len(parts) > 1 and sigma[t, parts].sum() >= tr:
            recall, precision = recall + 0.8, precision + 0.8 * len(parts)
            gt[t] = det[parts] = True
    for d in range(m):
        if det[d] or (tau[:, d] > 0).sum() < 2:
            continue
        parts = np.flatnonzero((sigma[:, d] >= tp) & ~gt)
        if len(parts) == 1 and tau[parts[0], d] >= tp and sigma[parts[0], d] >= tr:
            recall, precision = recall + 1, precision + 1
            det[d] = gt[parts] = True
        elif len(parts) > 1 and tau[parts, d].sum() >= tp:
            recall, precision = recall + 0.8 * len(parts), precision + 0.8
            det[d] = gt[parts] = True
    return n, m, recall, precision


def msra_td500_upright(polygons, truths, ignored):
    """(texts, detections, hits) of the published protocol, for rectangles parallel to the axes."""
    iou = ious(polygons, truths)
    used_t, used_d = set(), set()
    for t in range(len(truths)):
        for d in range(len(polygons)):
            if t not in used_t and d not in used_d and iou[t][d] > 0.5:
                used_t.add(t)
                used_d.add(d)
    counted = sum(1 for t in range(len(truths)) if t in used_t or not ignored[t])
    return counted, len(polygons), len(used_t)


def msra_td500_psenet(polygons, truths, ignored):
    """(texts, detections, hits)."""
    iou = ious(polygons, truths)
    found = [any(value >= 0.5 for value in row) for row in iou]
    missed = sum(1 for hit, difficult in zip(found, ignored, strict=True) if not hit and not difficult)
    return sum(found) + missed, len(polygons), sum(found)


def near(value, threshold):
    return abs(value - threshold) < 1e-9


# Scenes on a small grid, so that overlaps, ties and shared edges come up all the time.
_side = st.integers(0, 12)
rectangles = st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), _side, _side, st.integers(0, 8), st.integers(0, 8))
outlines = st.lists(st.tuples(_side, _side), min_size=3, max_size=7).map(np.array)
quads = st.lists(st.tuples(_side, _side), min_size=4, max_size=4).map(np.array)


@st.composite
def scenes(draw, shapes):
    """(detections, truths, ignored)."""
    truths = draw(st.lists(shapes, max_size=5))
    polygons = draw(st.lists(st.one_of(shapes, st.sampled_from(truths)) if truths else shapes, max_size=6))
    ignored = draw(st.lists(st.booleans(), min_size=len(truths), max_size=len(truths)))
    return polygons, truths, np.array(ignored, bool)
