import figures
import numpy as np
from gradients import count_negative, gradient_triangles, label_gradients
from worst import fullest_slice

# Two structures side by side in background.
LABELS = np.zeros((15, 16), np.uint8)
LABELS[2:13, 3:8], LABELS[2:13, 8:13] = 1, 2


def test_a_rectified_map_has_at_most_one_negative_component():
    counts = count_negative(LABELS, 3, (1.0, 1.0))
    assert (counts["rrw"] == 1).all()
    # At the common border, z = (5, -1, 1): background is 5 voxels away, the other structure 1, and the mean is 5/3.
    assert counts["boundary"][7, 7] == 2 and counts["boundary"][0, 0] == 1
    # Distances in mm: rows ten times as far apart.
    assert (count_negative(LABELS, 3, (10.0, 1.0))["boundary"] != counts["boundary"]).any()


def test_figures_of_gradients_are_the_same_for_the_same_labels():
    first = label_gradients(LABELS, 3, (1.0, 1.0), "case_1")
    assert first == label_gradients(LABELS, 3, (1.0, 1.0), "case_1")
    assert "labels; +: voxel below" in first and "Boundary" in first and "RRW" in first
    assert "true class" in gradient_triangles()


def test_the_fullest_slice_is_across_the_axis_with_fewest_slices():
    labels = np.zeros((6, 7, 4), np.uint8)
    labels[1:3, 1:3, 1] = 1
    labels[1:5, 1:5, 2] = 2
    assert fullest_slice(labels) == (2, 2)
    assert fullest_slice(labels.transpose(2, 0, 1)) == (0, 2)


def test_blobs_of_the_last_loss_are_whole(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "as_svg", lambda draw, size, name: drawn.append((draw, size)) or "")
    shares = {"rrw": [1.0, 0.0], "dice": [0.0, 1.0]}
    ranking = [{"shares": shares, "structure": "RV", "order": "mean_then_rank", "tau": 1.0}]
    figures.rank_shares(ranking, ["rrw", "dice"])
    (draw, size), figure = drawn[0], figures.Figure()
    figure.set_size_inches(size)
    figure.set_layout_engine("constrained")
    draw(figure)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    for blob in axes.collections:
        box = blob.get_window_extent()
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
