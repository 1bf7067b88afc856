"""What people ask for by name: `preflight`, `estimate`, `receipt`, `headline`; `schemas` writes derived files."""
