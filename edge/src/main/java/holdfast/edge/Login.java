package holdfast.edge;

/** Who makes a request: a user with its rights, or the operator of the machine, who may do all. */
sealed interface Login {
  /** The user's name, as it is written into leaves; empty for the operator. */
  String name();

  /** Whether a right is there. */
  boolean may(Right right, String space);

  /** A user. */
  record Known(EdgeLeaf.User user) implements Login {
    @Override
    public String name() {
      return user.name();
    }

    @Override
    public boolean may(Right right, String space) {
      return user.may(right, space);
    }
  }

  /** Whoever can read the token in the data folder. Has no keys and values of its own. */
  record Operator() implements Login {
    @Override
    public String name() {
      return "";
    }

    @Override
    public boolean may(Right right, String space) {
      return right == Right.ADMIN || right == Right.READ;
    }
  }

  /** Refuses who lacks a right. */
  default void require(Right right, String space) {
    if (!may(right, space)) {
      throw new Problem(
          Problem.Code.DENIED,
          "the right to "
              + right.text()
              + (space.equals(EdgeLeaf.ALL_SPACES) ? "" : " in space " + space)
              + " is missing");
    }
  }
}
