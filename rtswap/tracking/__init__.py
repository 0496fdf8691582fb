"""Who is where: detection, filters, association, recognition."""
