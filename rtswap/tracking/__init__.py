"""Face tracking: detection, filters, association, recognition."""
