using TorchSharp;

namespace LookaheadKV.Runtime;

/// <summary>How many threads libtorch computes with on the CPU.</summary>
public static class Threads
{
    // Whoever sets one of these has decided; libtorch reads them itself.
    private static readonly string[] Variables = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"];

    // Chosen once: within a process, results must not depend on what the host does meanwhile.
    private static readonly Lazy<int> Chosen = new(() => Choose(torch.get_num_threads(), Processors.OfHost(), Variables.Any(IsSet)));

    private static bool _isSaid;

    /// <summary>Takes the number of threads that suits this host, unless <see cref="Use"/> has said another.</summary>
    public static void UseDefault()
    {
        if (!_isSaid)
            Use();
    }

    /// <summary>Sets the number of threads, of this process and from now on.</summary>
    /// <param name="count">1 or more; null: what <see cref="Choose"/> says of this host.</param>
    /// <returns>The number set.</returns>
    /// <exception cref="InputException">The count is below 1.</exception>
    public static int Use(int? count = null)
    {
        var own = Chosen.Value;
        _isSaid = count is not null;
        var threads = count?.AtLeast(1, "threads:", "give 1 or more, or leave them out") ?? own;
        if (threads != torch.get_num_threads())
            torch.set_num_threads(threads);
        return threads;
    }

    /// <summary>How many threads are taken where nobody says: libtorch's own number, or fewer where fewer find a processor.</summary>
    /// <param name="own">What libtorch would take: a thread a core, or what the environment says.</param>
    /// <param name="host">The host.</param>
    /// <param name="isGiven">Whether the environment says how many (OMP_NUM_THREADS, MKL_NUM_THREADS): that stands.</param>
    public static int Choose(int own, Processors host, bool isGiven) => isGiven ? own : Math.Min(own, host.Sensible);

    private static bool IsSet(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 };
}
