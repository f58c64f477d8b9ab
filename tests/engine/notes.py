"""A reporter that keeps what it is told, and fails where a bar would leave its scale."""

from __future__ import annotations

from satdifuser_qgis.engine.reporter import Silent


class Notes(Silent):
    """``lines`` are what the user would read, ``warnings`` those that warn; ``figures`` holds the last of each name,
    ``bar`` where the bar stood, from 0 to 1, with its message."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.figures: dict[str, float] = {}
        self.bar: list[tuple[float, str]] = []

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(message)
        if level == "warning":
            self.warnings.append(message)

    def metric(self, name: str, value: float) -> None:
        self.figures[name] = value

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        assert 0 <= done <= total
        self.bar.append((done / total, message))
