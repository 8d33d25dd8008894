using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>What one rendering has at hand: its bounds and what is used of them, the clock, and the line it is at.</summary>
internal sealed class Machine(Limits limits, TimeProvider clock)
{
    private long _steps;
    private long _characters;
    private int _depth;

    public TimeProvider Clock { get; } = clock;

    /// <summary>The line of what is being evaluated.</summary>
    public int Line { get; set; }

    /// <summary>Counts work.</summary>
    public void Step(long count = 1)
    {
        if ((_steps += count) > limits.Steps)
            throw new JinjaException($"the template takes more than {limits.Steps} steps; is there a loop that grows?");
    }

    /// <summary>Counts text that was made.</summary>
    public string Made(string text) => Made(text.Length, text);

    /// <summary>Counts text of this length.</summary>
    public string Made(int length, string text)
    {
        Room(length);
        return text;
    }

    /// <summary>Counts text that is searched: a step for every few characters.</summary>
    public string Read(string text)
    {
        Step(1 + text.Length / 64);
        return text;
    }

    /// <summary>The length of something about to be made, if it fits the bounds at all.</summary>
    public int Fits(BigInteger length) =>
        length <= Math.Min(limits.Characters - _characters, int.MaxValue / 4) ? (int)length : throw TooLong();

    /// <summary>Enters an expression, statement or macro; <see cref="Leave"/> leaves it.</summary>
    public void Enter()
    {
        if (++_depth > limits.Depth)
            throw new JinjaException($"the template goes deeper than {limits.Depth} levels; does a macro call itself for ever?");
        Step();
    }

    public void Leave() => _depth--;

    private void Room(long length)
    {
        if ((_characters += length) > limits.Characters)
            throw TooLong();
    }

    private JinjaException TooLong() => new($"the template makes more than {limits.Characters} characters; is there a loop that grows?");
}
