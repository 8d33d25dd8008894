using LookaheadKV.Models;

namespace LookaheadKV.Cli.Common;

/// <summary>Makes errors name the file or option they come from.</summary>
internal static class InputFile
{
    /// <summary>Runs <paramref name="read"/>; an error that does not name <paramref name="source"/> gets it in front.</summary>
    public static T Named<T>(string source, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InputException e) when (!e.Message.Contains(source))
        {
            throw new InputException($"{source}: {e.Message}", e);
        }
    }

    /// <summary>Ids of a file, checked against the model; <paramref name="room"/> more tokens must fit behind them.</summary>
    public static int[] Ids(string path, Decoder decoder, int room = 0) => Checked(path, JsonFiles.Ids(path), decoder, room);

    /// <summary>Ids from <paramref name="source"/>, checked against the model's vocabulary and context.</summary>
    public static int[] Checked(string source, int[] ids, Decoder decoder, int room = 0)
    {
        Named(
            source,
            () =>
            {
                using var tensor = decoder.Ids(ids);
                return true;
            }
        );
        var context = decoder.Config.MaxPositions;
        return ids.Length + room <= context
            ? ids
            : throw new InputException(
                $"{source}: {ids.Length} tokens leave {context - ids.Length} of the model's context of {context}, {room} are needed for the answer; "
                    + "shorten the prompt or the answer."
            );
    }
}
