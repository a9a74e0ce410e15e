-- Schema version 2: what calls cost before they were repriced.
-- Never change this file: a ledger that has it is brought on by a later one.
-- Every default is a constant or absent (see Migration in schema.py).

CREATE TABLE IF NOT EXISTS repricings (
    call_id UUID NOT NULL,
    repriced_at TIMESTAMP NOT NULL,
    old_cost_usd DECIMAL(18,12),
    old_cost_status VARCHAR NOT NULL,
    old_catalogue_version VARCHAR,
    old_cost_lines JSON,
    old_requests JSON,
    new_cost_usd DECIMAL(18,12),
    new_cost_status VARCHAR NOT NULL,
    new_catalogue_version VARCHAR
);
