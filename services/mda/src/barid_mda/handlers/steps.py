"""The steps of a settle request in the traces of its mails."""

from barid_runtime import tracing

from .parcels import Piece


def begun(piece: Piece) -> list[tracing.Step | None]:
    """One for each obligation; None where the mail isn't traced. Below the publishing that brought it to us."""
    door = tracing.door
    if door is None:
        return []
    parents = tracing.Parents(*{id(one.parcel): one.parcel.delivery.traces for one, _ in piece}.values())
    return [
        door.begin("mda", "mda.deliver", proposal.mail_id, parent=parents.take(proposal.mail_id), began=one.began)
        for one, proposal in piece
    ]
