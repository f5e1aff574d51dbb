"""What the functions call, held against what their roles allow, both ways."""
