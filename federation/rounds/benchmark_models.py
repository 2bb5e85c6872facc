"""Reference figures of others, as they were published: who, when, for whom and which period.

Rows are only ever added. A newer file of the same source stands beside the older one; a file that
was wrong is withdrawn, which is a row of its own.
"""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, UtcTime, new_id

ID = String(36)


class BenchmarkFile(Base):
    """One imported file. `sha256` is that of its bytes; `published` the day the source gives."""

    __tablename__ = "benchmark_file"
    __table_args__ = (Index("uq_benchmark_file_once", "network", "sha256", unique=True),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    source: Mapped[str] = mapped_column(String(200))
    link: Mapped[str] = mapped_column(String(300), default="")
    published: Mapped[date] = mapped_column(Date)
    sha256: Mapped[str] = mapped_column(String(64))
    imported_by: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime] = mapped_column(UtcTime)

    rows: Mapped[list["BenchmarkRow"]] = relationship(order_by="BenchmarkRow.line")


class BenchmarkRow(Base):
    """One figure: an indicator, of whom (`region` in the source's own words), from which month to
    which. `value` is in the indicator's own unit (a share from 0 to 1, days, a mean)."""

    __tablename__ = "benchmark_row"
    __table_args__ = (
        CheckConstraint("n IS NULL OR n >= 0", name="n_counts"),
        CheckConstraint("observed IS NULL OR (n IS NOT NULL AND observed <= n)", name="observed"),
        CheckConstraint("first <= last", name="period"),
        Index("ix_benchmark_row_indicator", "indicator", "last"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    file_id: Mapped[str] = mapped_column(ForeignKey("benchmark_file.id"), index=True)
    line: Mapped[int]
    indicator: Mapped[str] = mapped_column(String(60))
    region: Mapped[str] = mapped_column(String(120))
    first: Mapped[str] = mapped_column(String(7))
    last: Mapped[str] = mapped_column(String(7))
    n: Mapped[int | None]
    observed: Mapped[int | None]
    value: Mapped[float] = mapped_column(Float)
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)


class BenchmarkWithdrawal(Base):
    """That a file was wrong, and why: its figures are shown nowhere, and stay on record."""

    __tablename__ = "benchmark_withdrawal"

    file_id: Mapped[str] = mapped_column(ForeignKey("benchmark_file.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(300))
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcTime)
