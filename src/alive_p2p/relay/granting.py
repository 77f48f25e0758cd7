"""What the owner of a bucket has to grant to a peer by hand, and nothing beyond it (relay.md §5, §8)."""

from dataclasses import dataclass
from typing import Any

from alive_p2p.relay import mailbox
from alive_p2p.relay.transports import s3_address


@dataclass(frozen=True)
class Grant:
    """The rights of a peer in a bucket.

    Attributes:
        place: the store, as it is spoken of.
        bucket: the bucket.
        read: what the names that they may list and read begin with.
        write: what the names that they may write and delete begin with.
        policy: the same as an IAM policy, to be attached to whom they are at the store.
    """

    place: str
    bucket: str
    read: tuple[str, ...]
    write: str
    policy: dict[str, Any]


def grant_for(url: str, folder: str) -> Grant | None:
    """What a peer needs in a relay; None where it lies in no bucket.

    Args:
        url: the relay.
        folder: the peer's folder there.
    """
    if not s3_address.is_bucket(url):
        return None
    address = s3_address.parse(url)
    read = tuple(address.key(f"{name}/") for name in mailbox.open_to(folder))
    write = address.key(f"{mailbox.inbox(folder)}/")
    arn = f"arn:{_partition(address)}:s3:::{address.bucket}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": [f"{name}*" for name in read]}},
            },
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{arn}/{name}*" for name in read]},
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": f"{arn}/{write}*",
            },
        ],
    }
    return Grant(address.place, address.bucket, read, write, policy)


def _partition(address: s3_address.Address) -> str:
    """Amazon's own worlds have names of their own; other stores take the usual one."""
    if address.endpoint is None and address.region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if address.endpoint is None and address.region.startswith("us-gov-") else "aws"
