using System.Globalization;

namespace LookaheadKV.Runtime;

/// <summary>What this process's threads did so far.</summary>
/// <param name="Ran">Time on a processor, all threads together.</param>
/// <param name="Waited">Time that they could have run and had no processor.</param>
public readonly record struct ThreadTimes(TimeSpan Ran, TimeSpan Waited)
{
    /// <summary>Of this process, as Linux counts them; null where nothing does.</summary>
    public static ThreadTimes? OfProcess()
    {
        try
        {
            // Nanoseconds run, nanoseconds waited, time slices; a thread that ends meanwhile takes its file with it.
            var threads = Directory
                .EnumerateDirectories("/proc/self/task")
                .Select(thread => Path.Combine(thread, "schedstat"))
                .Where(File.Exists)
                .Select(file => File.ReadAllText(file).Split(' '))
                .Select(text => (Ran: Nanoseconds(text[0]), Waited: Nanoseconds(text[1])))
                .ToList();
            var (ran, waited) = (threads.Sum(thread => thread.Ran), threads.Sum(thread => thread.Waited));
            return ran == 0 ? null : new(TimeSpan.FromTicks(ran / 100), TimeSpan.FromTicks(waited / 100));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            return null;
        }

        static long Nanoseconds(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }
}

/// <summary>
/// Whether the first prompts had the processors that their threads promise: N threads promise N processors whenever they have work. The promise is broken,
/// and said to be once, where the threads waited for a processor longer than they ran: the prompts then took more than twice their time, and with
/// several threads, which wait for each other, often many times it.
/// </summary>
/// <param name="clock">What the threads did so far; null where nothing says.</param>
/// <param name="threads">N.</param>
/// <param name="warn">Receives the warning, one line.</param>
public sealed class ThreadWatch(Func<ThreadTimes?> clock, int threads, Action<string> warn)
{
    /// <summary>Prompts that are judged, from the first.</summary>
    public const int Prompts = 3;

    // Less than this says nothing.
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(0.5);

    private readonly ThreadTimes? _start = clock();
    private int _done;
    private bool _judged;

    /// <summary>Counts a prompt; behind the last of the first ones, judges them.</summary>
    public void PromptDone()
    {
        if (++_done >= Prompts)
            Judge();
    }

    /// <summary>Judges what has been done, unless that has been: for runs of fewer prompts.</summary>
    public void Judge()
    {
        if (_judged || _done == 0 || _start is not { } start || clock() is not { } now)
            return;
        _judged = true;
        var (ran, waited) = (now.Ran - start.Ran, now.Waited - start.Waited);
        if (ran + waited < Least || waited <= ran)
            return;
        var share = string.Create(CultureInfo.InvariantCulture, $"{100 * (ran / (ran + waited)):0} %");
        warn(
            $"the machine is busy: {(threads == 1 ? "the thread" : $"{threads} threads")} had a processor for {share} of the time that there was work; "
                + (
                    threads == 1
                        ? "times that are told here are too long."
                        : "times are too long, and --threads 1 may be several times faster."
                )
        );
    }
}
