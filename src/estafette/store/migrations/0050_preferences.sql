-- What a person chose on the page of preferences. A pause is a block of cause 'unsubscribe' with an end.

ALTER TABLE contact ADD COLUMN language TEXT NOT NULL DEFAULT '';  -- in which the public pages speak to the person: 'en', 'fr'; '' = not said
