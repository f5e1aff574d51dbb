"""The slow loop: from the event lake to a published model. Pure modules here, thin jobs in `jobs`."""
