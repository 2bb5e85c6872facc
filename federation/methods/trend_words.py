"""What a trend lets out of a hospital, in sentences for the steward; see trend.py."""

from __future__ import annotations

from federation.methods.base import Ask
from federation.methods.sentences import behind, counted, left_out
from federation.methods.trend_plan import Plan


def said(ask: Ask, plan: Plan, lang: str) -> list[str]:
    """What leaves a hospital for this question, in Dutch or English."""
    who = counted(ask, lang)
    dutch, own = lang == "nl", ask.query.output == "by_site"
    sentences = [
        f"Het aantal {who} per kwartaal ({plan.size}), ook met de uitkomst."
        if dutch
        else f"The number of {who} in each quarter ({plan.size}), also with the outcome."
    ]
    sentences += plan.outcome.sentences(lang)
    if plan.waiting is not None:
        sentences.append(
            f"Het aantal {who} per kwartaal en aantal dagen van {plan.waiting}."
            if dutch
            else f"The number of {who} for each quarter and number of days of {plan.waiting}."
        )
    if ask.params["formula"] is not None:
        p = plan.model.design.size + 1
        sentences.append(
            f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen."
            if dutch
            else f"In each round sums for {p} coefficients, over all patients together."
        )
    if own and ask.strict and ask.params["formula"] is not None:
        sentences.append(
            "Hoeveel ziekenhuizen elk kwartaal kunnen tonen, met hoeveel patiënten, opgeteld "
            "over de ziekenhuizen."
            if dutch
            else "How many hospitals can show every quarter, with how many patients, added "
            "over the hospitals."
        )
    if own:
        sentences.append(
            "Per ziekenhuis per kwartaal het waargenomen en het verwachte aantal."
            if dutch
            else "For each hospital and quarter the observed and the expected number."
        )
    if own and ask.params["cusum_h"] is not None:
        sentences.append(
            "De hoogste CUSUM van elk kwartaal; de volgorde van de patiënten niet."
            if dutch
            else "The highest CUSUM of each quarter; not the order of the patients."
        )
    return [*sentences, left_out(ask, lang), *behind(ask, lang)]
