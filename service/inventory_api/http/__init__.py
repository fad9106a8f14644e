"""What every HTTP route shares: context, body limit, authentication, errors, pages, ETags."""
