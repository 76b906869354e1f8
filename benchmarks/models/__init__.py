"""Speed and memory of this project's models beside those of other libraries."""
