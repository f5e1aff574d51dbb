"""What Attune costs: quantities measured, prices dated, a bill for the synthesized stack."""
