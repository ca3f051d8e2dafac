"""The variables whose values the beta build and the newest look at before they start."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Raises ValidationError, naming the variable, where one is there with a value that it cannot have."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    ENVIRONMENT: Literal["development", "staging", "production"] = "production"
