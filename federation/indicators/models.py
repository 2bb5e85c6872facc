"""What the hub keeps of indicators: the definitions and the targets that a working group set.

Both are only added to: what a group once agreed stays readable with who set it and when.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, OrderedJson, UtcTime, new_id

ID = String(36)


class IndicatorVersion(Base):
    """A definition of a group's own; `definition` holds its version too."""

    __tablename__ = "indicator_version"
    __table_args__ = (
        UniqueConstraint("group_id", "indicator", "version", name="uq_indicator_version_version"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"))
    indicator: Mapped[str] = mapped_column(String(63))
    version: Mapped[int]
    definition: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
    sha256: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    by_name: Mapped[str] = mapped_column(String(200), default="")


class IndicatorTarget(Base):
    """A target that a group agreed, from the day that stands in it. Of two of the same day the one
    with the higher number holds."""

    __tablename__ = "indicator_target"
    __table_args__ = (
        UniqueConstraint("group_id", "indicator", "number", name="uq_indicator_target_number"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"))
    indicator: Mapped[str] = mapped_column(String(63))
    number: Mapped[int]
    target: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
    why: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    by_name: Mapped[str] = mapped_column(String(200), default="")
