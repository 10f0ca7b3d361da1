# The image's entrypoint: `docker run -it ha-rag learn` runs `ha-rag learn`; anything else is run as given.
case "$1" in
  up | serve | ingest | ask | watch | circuits | break | mend | check | evaluate | experiment | documents | forget | drill | learn | dashboard | alerter | --*)
    set -- ha-rag "$@" ;;
esac
exec "$@"
