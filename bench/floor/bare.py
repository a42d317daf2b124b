"""The barest board: SQL and a template in a process without any server.

`python -m bench.floor.bare` draws a board for each line with a size that it reads, and prints its length.
"""

import os
import sys

import psycopg

from bench.floor.page import raw_board
from bench.floor.tables import schema_of


def main() -> None:
    """Draw boards until the input ends."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.cursor()
        for line in sys.stdin:
            print(len(raw_board(cursor, schema_of(line.strip()))), flush=True)


if __name__ == "__main__":
    main()
