"""Steps of dynamics a second, beside other libraries."""
