"""The floor: the least that the same board and the same move can cost here. It bounds goals; it is no product."""
