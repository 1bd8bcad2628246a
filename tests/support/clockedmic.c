/* An ALSA microphone without a sound card that is as honest as hardware (an ioplug capture device).
 *
 * It has a clock: frames come at the true rate, neither sooner nor later. Its buffer is bounded: a reader that is
 * too slow gets an overrun and the frames are gone. Frame n of the device was heard at the monotonic second
 * `origin` + n / (rate * (1 + ppm / 1e6)), in every process that opens it; so a counter signal, whose frame n has
 * the value n & 0xffff on every channel, tells of each sample when it was heard, even over a restart.
 *
 * Options in the ALSA configuration, all of them optional:
 *   rate      the only rate it takes; otherwise any from 8 to 192 kHz
 *   channels  the only channel count it takes; otherwise any from 1 to 32
 *   ppm       how much faster (or, below zero, slower) it runs than it says, parts per million, a whole number
 *   infile    16-bit little-endian mono samples at its rate, played round and round in place of the counter
 *   origin    the monotonic second of frame 0, a whole number; 0 otherwise
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MOST_CHANNELS 32
#define SAMPLE_BYTES 2
#define MOST_BUFFER_FRAMES 65536

typedef struct {
    snd_pcm_ioplug_t io;
    long ppm, origin;
    const int16_t *sound; /* of infile; NULL: the counter */
    size_t sound_frames;
    int64_t first;        /* the device's frame at which the stream was started */
} clockedmic_t;

static double true_rate(const clockedmic_t *mic)
{
    return mic->io.rate * (1 + mic->ppm / 1e6);
}

static int64_t frame_now(const clockedmic_t *mic)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)((now.tv_sec - mic->origin + now.tv_nsec / 1e9) * true_rate(mic));
}

static int16_t sample_of(const clockedmic_t *mic, int64_t frame)
{
    return mic->sound ? mic->sound[(uint64_t)frame % mic->sound_frames] : (int16_t)(uint16_t)frame;
}

/* Wakes the reader once a period, a frame after it is due: what woke for nothing would wait for the next one. */
static int set_alarm(clockedmic_t *mic, int on)
{
    struct itimerspec alarm = {{0, 0}, {0, 0}};
    if (on) {
        int64_t period_ns = (int64_t)(1e9 * mic->io.period_size / true_rate(mic)) + 1;
        int64_t first_ns = (int64_t)(1e9 * (mic->io.period_size + 1) / true_rate(mic)) + 1;
        alarm.it_interval = (struct timespec){period_ns / 1000000000, period_ns % 1000000000};
        alarm.it_value = (struct timespec){first_ns / 1000000000, first_ns % 1000000000};
    }
    return timerfd_settime(mic->io.poll_fd, 0, &alarm, NULL) < 0 ? -errno : 0;
}

static int on_start(snd_pcm_ioplug_t *io)
{
    clockedmic_t *mic = io->private_data;
    mic->first = frame_now(mic);
    return set_alarm(mic, 1);
}

static int on_stop(snd_pcm_ioplug_t *io)
{
    return set_alarm(io->private_data, 0);
}

/* How far the device is, in its ring; -EPIPE is an overrun: the reader has not taken what the ring holds. */
static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io)
{
    clockedmic_t *mic = io->private_data;
    if (io->state != SND_PCM_STATE_RUNNING)
        return 0;
    int64_t heard = frame_now(mic) - mic->first;
    if (heard - (int64_t)io->appl_ptr > (int64_t)io->buffer_size)
        return -EPIPE;
    return heard % (int64_t)io->buffer_size;
}

static snd_pcm_sframes_t on_transfer(
    snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    clockedmic_t *mic = io->private_data;
    int64_t frame = mic->first + (int64_t)io->appl_ptr;
    for (unsigned channel = 0; channel < io->channels; channel++) {
        const snd_pcm_channel_area_t *area = &areas[channel];
        char *at = (char *)area->addr + (area->first + area->step * offset) / 8;
        for (snd_pcm_uframes_t i = 0; i < size; i++)
            *(int16_t *)(at + i * area->step / 8) = sample_of(mic, frame + (int64_t)i);
    }
    return (snd_pcm_sframes_t)size;
}

static int on_poll(snd_pcm_ioplug_t *io, struct pollfd *polled, unsigned count, unsigned short *events)
{
    uint64_t expired;
    (void)count;
    *events = (polled[0].revents & POLLIN) && read(io->poll_fd, &expired, sizeof expired) > 0 ? POLLIN : 0;
    return 0;
}

static int on_close(snd_pcm_ioplug_t *io)
{
    clockedmic_t *mic = io->private_data;
    close(io->poll_fd);
    if (mic->sound)
        munmap((void *)mic->sound, mic->sound_frames * SAMPLE_BYTES);
    free(mic);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = on_start,
    .stop = on_stop,
    .pointer = on_pointer,
    .transfer = on_transfer,
    .poll_revents = on_poll,
    .close = on_close,
};

static int load_sound(clockedmic_t *mic, const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        return -errno;
    mic->sound_frames = status.st_size / SAMPLE_BYTES;
    mic->sound = mmap(NULL, mic->sound_frames * SAMPLE_BYTES, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return mic->sound == MAP_FAILED ? -errno : 0;
}

static int limit(snd_pcm_ioplug_t *io, long rate, long channels)
{
    static const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
    static const unsigned formats[] = {SND_PCM_FORMAT_S16};
    unsigned most_bytes = MOST_BUFFER_FRAMES * SAMPLE_BYTES * (channels ? channels : MOST_CHANNELS);
    int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
    error = error ? error : snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, formats);
    const struct { int what; unsigned least, most; } ranges[] = {
        {SND_PCM_IOPLUG_HW_CHANNELS, channels ? channels : 1, channels ? channels : MOST_CHANNELS},
        {SND_PCM_IOPLUG_HW_RATE, rate ? rate : 8000, rate ? rate : 192000},
        {SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, most_bytes / 2},
        {SND_PCM_IOPLUG_HW_BUFFER_BYTES, 128, most_bytes},
        {SND_PCM_IOPLUG_HW_PERIODS, 2, 1024},
    };
    for (size_t i = 0; !error && i < sizeof ranges / sizeof *ranges; i++)
        error = snd_pcm_ioplug_set_param_minmax(io, ranges[i].what, ranges[i].least, ranges[i].most);
    return error;
}

SND_PCM_PLUGIN_DEFINE_FUNC(clockedmic)
{
    snd_config_iterator_t at, next;
    const char *infile = NULL;
    long rate = 0, channels = 0, ppm = 0, origin = 0;
    const struct { const char *name; long *value; } numbers[] = {
        {"rate", &rate}, {"channels", &channels}, {"ppm", &ppm}, {"origin", &origin}};
    (void)root;
    if (stream != SND_PCM_STREAM_CAPTURE)
        return -EINVAL;
    snd_config_for_each(at, next, conf) {
        snd_config_t *entry = snd_config_iterator_entry(at);
        const char *name;
        if (snd_config_get_id(entry, &name) < 0)
            continue;
        if (!strcmp(name, "infile"))
            snd_config_get_string(entry, &infile);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            if (!strcmp(name, numbers[i].name))
                snd_config_get_integer(entry, numbers[i].value);
    }
    clockedmic_t *mic = calloc(1, sizeof *mic);
    if (!mic)
        return -ENOMEM;
    mic->ppm = ppm;
    mic->origin = origin;
    mic->io.version = SND_PCM_IOPLUG_VERSION;
    mic->io.name = "a microphone with a clock";
    mic->io.callback = &callbacks;
    mic->io.private_data = mic;
    mic->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    mic->io.poll_events = POLLIN;
    int error = mic->io.poll_fd < 0 ? -errno : infile ? load_sound(mic, infile) : 0;
    error = error ? error : snd_pcm_ioplug_create(&mic->io, name, stream, mode);
    if (error) {
        if (mic->io.poll_fd >= 0)
            close(mic->io.poll_fd);
        free(mic);
        return error;
    }
    if ((error = limit(&mic->io, rate, channels)) < 0) {
        snd_pcm_ioplug_delete(&mic->io);
        return error;
    }
    *pcmp = mic->io.pcm;
    return 0;
}

SND_PCM_PLUGIN_SYMBOL(clockedmic);
