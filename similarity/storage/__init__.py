"""Files that are written whole or not at all, and journals that outlive their process."""
