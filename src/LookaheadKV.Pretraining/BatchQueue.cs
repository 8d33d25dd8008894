namespace LookaheadKV.Pretraining;

/// <summary>
/// Batches made ahead on the thread pool and handed out in the order of their numbers, whatever order they finish in: the data of a run
/// never depends on the number of processors.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    // The consumer spends its time waiting for the device; all other processors make data, with one batch ready for each.
    private static readonly int Depth = 2 * Math.Max(1, Environment.ProcessorCount - 1);

    private readonly Func<long, PackedBatch> make;
    private readonly Queue<Task<PackedBatch>> ahead = new();
    private readonly CancellationTokenSource stop = new();
    private long next;

    /// <summary>Starts making batches from number <paramref name="first"/> on.</summary>
    public BatchQueue(Func<long, PackedBatch> make, long first)
    {
        this.make = make;
        next = first;
        TopUp();
    }

    /// <summary>The next batch; waits if it is not made yet. An error of the source surfaces here.</summary>
    public PackedBatch Next()
    {
        var batch = ahead.Dequeue().GetAwaiter().GetResult();
        TopUp();
        return batch;
    }

    /// <summary>Drops the batches not started yet; those under way finish unseen.</summary>
    public void Dispose() => stop.Cancel();

    private void TopUp()
    {
        while (ahead.Count < Depth)
        {
            var number = next++;
            ahead.Enqueue(Task.Run(() => make(number), stop.Token));
        }
    }
}
