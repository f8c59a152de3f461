package holdfast.edge;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Lets packets of a client through, or keeps them back. While it is shut nothing more is read from
 * the socket, and what was read already is kept here, with the news that the client is gone, which
 * must not overtake what the client has said before.
 *
 * <p>All of it happens on the connection's event loop.
 */
final class MqttGate extends ChannelInboundHandlerAdapter {
  private final ArrayDeque<Object> kept = new ArrayDeque<>();
  private @Nullable ChannelHandlerContext context;
  private boolean shut;
  private boolean opening;
  private boolean gone;

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void channelRead(ChannelHandlerContext from, Object packet) {
    if (shut || !kept.isEmpty()) {
      kept.add(packet);
    } else {
      from.fireChannelRead(packet);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext from) {
    gone = true;
    if (kept.isEmpty()) {
      from.fireChannelInactive();
    }
  }

  /** Where it stands. */
  ChannelPipeline pipeline() {
    return Objects.requireNonNull(context, "a gate in no pipeline").pipeline();
  }

  /** Nothing goes through until it is opened. */
  void shut() {
    shut = true;
    autoRead(false);
  }

  /** Lets through what was kept, unless it is shut again by that, and what comes. */
  void open() {
    shut = false;
    ChannelHandlerContext to = context;
    if (to == null || opening) {
      return;
    }
    opening = true;
    boolean some = false;
    try {
      for (Object next = shut ? null : kept.poll();
          next != null;
          next = shut ? null : kept.poll()) {
        some = true;
        to.fireChannelRead(next);
      }
    } finally {
      opening = false;
    }
    if (some) {
      to.fireChannelReadComplete();
    }
    if (some && gone && kept.isEmpty()) {
      to.fireChannelInactive();
    } else if (!shut) {
      autoRead(true);
    }
  }

  /** Forgets what was kept: nobody wants it any more. */
  void discard() {
    boolean some = !kept.isEmpty();
    kept.forEach(ReferenceCountUtil::release);
    kept.clear();
    shut = false;
    autoRead(true);
    if (some && gone && !opening && context != null) {
      context.fireChannelInactive();
    }
  }

  private void autoRead(boolean on) {
    if (context != null) {
      context.channel().config().setAutoRead(on);
    }
  }
}
