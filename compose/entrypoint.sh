# The image's entrypoint: `docker run -it ha-rag learn` is `ha-rag learn`; everything else is run as it stands.
case "$1" in
  up | serve | ingest | ask | watch | circuits | break | mend | check | drill | learn | dashboard | alerter | --*)
    set -- ha-rag "$@" ;;
esac
exec "$@"
