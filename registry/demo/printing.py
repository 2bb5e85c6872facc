"""The demo's report for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from registry.demo.comparing import Line
from registry.demo.network import DemoNetwork
from registry.demo.running import TOLERANCE, Answer, Withdrawal, released_at

_MOST_LINES = 14


def print_choices(out: Console, network: DemoNetwork) -> None:
    """How the 686 patients answered."""
    table = Table(title="Choices of the patients", title_justify="left")
    table.add_column("Answer")
    table.add_column("Patients", justify="right")
    table.add_column("Share", justify="right")
    total = sum(network.shares.values())
    for answer, number in sorted(network.shares.items(), key=lambda pair: -pair[1]):
        table.add_row(answer, str(number), f"{number / total:.1%}")
    out.print(table)
    out.print("Only those with a yes in force are read by any computation.\n")


def print_answer(out: Console, answer: Answer) -> None:
    """One question: the network's numbers, the pooled ones beside them, the difference."""
    envelope = answer.envelope
    table = Table(title=str(answer.question.query["title"]), title_justify="left")
    table.add_column("Number")
    table.add_column("Network", justify="right")
    table.add_column("Pooled", justify="right")
    table.add_column("Difference", justify="right")
    for line in _worth_printing(answer.lines):
        table.add_row(line.where, _shown(line.ours), _shown(line.pooled), f"{line.difference:.1e}")
    out.print(table)
    sites = envelope["sites"]
    out.print(
        f"{sites['answered']} of {sites['asked']} hospitals, {len(envelope['hidden'])} numbers "
        f"hidden, {answer.seconds:.2f} s. {len(answer.lines)} numbers compared with the pooled "
        f"answer{', ' + answer.question.note if answer.question.note else ''}: largest difference "
        f"{answer.difference:.1e}{'' if answer.holds else f' (more than {TOLERANCE:.0e})'}.\n"
    )


def _worth_printing(lines: Sequence[Line]) -> list[Line]:
    """All of a short answer, every so many of a long one, always the worst one."""
    if len(lines) <= _MOST_LINES:
        return list(lines)
    step = len(lines) / _MOST_LINES
    chosen = {int(i * step) for i in range(_MOST_LINES)}
    chosen.add(max(range(len(lines)), key=lambda i: lines[i].difference))
    return [lines[i] for i in sorted(chosen)]


def _shown(value: float | list[float]) -> str:
    if isinstance(value, list):
        return f"{value[0]:g} to {value[1]:g}"
    return f"{value:.6g}"


def print_withdrawal(out: Console, withdrawal: Withdrawal, first: Answer) -> None:
    """Both halves of the promise after one patient withdrew."""
    out.rule("One patient withdraws", align="left")
    out.print(f"A patient of {withdrawal.hospital} presses 'Stop'. From now on:\n")
    out.print("1. Every new computation leaves this patient out.")
    print_answer(out, withdrawal.new)
    out.print(
        "   With this patient still counted the pooled numbers would have been "
        f"{withdrawal.difference_with_patient:.3g} away.\n"
    )
    out.print(
        "2. The same question asked again gives the earlier answer with its date, so that nobody "
        "can subtract the two:"
    )
    repeated = withdrawal.repeated
    out.print(
        f"   replayed: {'yes' if repeated.get('replayed') else 'no'}, released at "
        f"{released_at(repeated)}, same numbers: "
        f"{'yes' if repeated.get('result') == first.envelope['result'] else 'no'}\n"
    )


def print_sign_in(out: Console, network: DemoNetwork, address: str) -> None:
    """Where to go and with which accounts."""
    out.rule("Pages", align="left")
    out.print(f"[bold]{address}[/bold]\n")
    table = Table(title="Accounts of this demo (made just now)", title_justify="left")
    for head in ("Name", "Role", "Password"):
        table.add_column(head)
    for account in network.accounts:
        table.add_row(account.name, account.role, account.password)
    out.print(table)
    out.print("The sign-in page shows them too, each with its one-time code.\n")
    table = Table(title="Letters to patients", title_justify="left")
    for head in ("Hospital", "Code in the letter", "Answer so far"):
        table.add_column(head)
    for letter in network.letters:
        table.add_row(letter.hospital, letter.code, letter.answer)
    out.print(table)
    out.print(f"A patient signs in at {address}/mijn with the code. Stop with Ctrl-C.")
