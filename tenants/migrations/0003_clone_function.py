"""Install the function that makes an organization's schema out of the template.

django-tenants brings one of 4,600 lines, which names unique constraints anew: a later migration that
removes one by name would then fail in every cloned schema. This one copies what Django makes (tables,
identity columns, constraints, indexes, functions, triggers), keeps every name, and refuses a template
that holds anything else. Data is copied for django_migrations only.
"""

from django.db import migrations

INSTALL = """
CREATE FUNCTION public.clone_organization(source text, target text) RETURNS void LANGUAGE plpgsql AS $clone$
DECLARE
    item record;
    before text := current_setting('search_path');
BEGIN
    SELECT relname, relkind INTO item FROM pg_class
        WHERE relnamespace = source::regnamespace AND relkind NOT IN ('r', 'i', 'S', 't') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'cannot clone % of kind %', item.relname, item.relkind;
    END IF;
    IF to_regclass(format('%I.django_migrations', source)) IS NULL THEN
        RAISE EXCEPTION 'the template has not been migrated';
    END IF;
    EXECUTE format('CREATE SCHEMA %I', target);

    FOR item IN SELECT relname FROM pg_class WHERE relnamespace = source::regnamespace AND relkind = 'r' ORDER BY oid LOOP
        EXECUTE format(
            'CREATE TABLE %I.%I (LIKE %I.%I INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING GENERATED INCLUDING STORAGE '
            'INCLUDING CONSTRAINTS)',
            target, item.relname, source, item.relname);
    END LOOP;

    -- Checks came with the table, parsed; written out and read again they would look different.
    -- With one schema in the path at a time, definitions are written and read without its name.
    FOR item IN
        SELECT c.relname, k.conname, k.oid FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = source::regnamespace AND k.contype IN ('p', 'u', 'x', 'f')
        ORDER BY array_position(ARRAY['p', 'u', 'x', 'f']::"char"[], k.contype), k.oid
    LOOP
        PERFORM set_config('search_path', quote_ident(source) || ', public', true);
        DECLARE
            definition text := pg_get_constraintdef(item.oid);
        BEGIN
            PERFORM set_config('search_path', quote_ident(target) || ', public', true);
            EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', target, item.relname, item.conname, definition);
        END;
    END LOOP;

    FOR item IN
        SELECT pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = source::regnamespace
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
            AND NOT EXISTS (SELECT FROM pg_class t WHERE t.oid = i.indrelid AND t.relkind = 't')
        ORDER BY i.indexrelid
    LOOP
        EXECUTE replace(item.definition, format(' ON %I.', source), format(' ON %I.', target));
    END LOOP;

    FOR item IN
        SELECT pg_get_functiondef(oid) AS definition FROM pg_proc WHERE pronamespace = source::regnamespace ORDER BY oid
    LOOP
        EXECUTE replace(item.definition, format('FUNCTION %I.', source), format('FUNCTION %I.', target));
    END LOOP;

    FOR item IN
        SELECT pg_get_triggerdef(t.oid) AS definition FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND c.relnamespace = source::regnamespace ORDER BY t.oid
    LOOP
        EXECUTE replace(
            replace(item.definition, format(' ON %I.', source), format(' ON %I.', target)),
            format('FUNCTION %I.', source), format('FUNCTION %I.', target));
    END LOOP;

    EXECUTE format(
        'INSERT INTO %I.django_migrations (app, name, applied) SELECT app, name, applied FROM %I.django_migrations ORDER BY id',
        target, source);
    PERFORM set_config('search_path', before, true);
END
$clone$;
"""
REMOVE = "DROP FUNCTION public.clone_organization(text, text)"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_extensions")]
    operations = [migrations.RunSQL(INSTALL, REMOVE)]
