namespace LookaheadKV;

/// <summary>Reports on the thread that works: <see cref="Progress{T}"/> would post to the pool, out of order.</summary>
internal sealed class Inline<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
